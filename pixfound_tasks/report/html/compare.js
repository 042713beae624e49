// All models on one image: a row per image, with each model's mask, answer and outcome.

function runsOf(benchmark) {
  return data.runs.map((_, index) => index).filter((index) => data.runs[index].benchmark === benchmark);
}

const answersById = new Map(); // run -> id -> answer

function answerOf(run, id) {
  if (!answersById.has(run)) answersById.set(run, new Map(data.runs[run].answers.map((answer) => [answer.id, answer])));
  return answersById.get(run).get(id);
}

// One sample per image that any run of the benchmark has. `sides` has each run's answer.
function comparedSamples() {
  const runs = runsOf(data.runs[state.run].benchmark);
  const ids = new Set(runs.flatMap((run) => data.runs[run].answers.map(({ id }) => id)));
  return [...ids].map((id) => {
    const sides = runs.filter((run) => answerOf(run, id)).map((run) => ({ run, answer: answerOf(run, id) }));
    const first = sides.find(({ run }) => run === state.run) || sides[0];
    return { ...sampleOf(first.answer), sides };
  });
}

// How much the models differ: the fraction of the smaller camp among their verdicts, twice, plus the range of their IoUs.
function disagreement({ sides }) {
  const verdicts = sides.map(({ answer }) => (answer.vqa || answer.open || {}).right).filter((right) => typeof right === "boolean");
  const right = verdicts.filter(Boolean).length;
  const ious = sides.map(({ answer }) => answer.ground && answer.ground.iou).filter((iou) => typeof iou === "number");
  const range = ious.length ? Math.max(...ious) - Math.min(...ious) : 0;
  return range + (verdicts.length ? 2 * Math.min(right, verdicts.length - right) / verdicts.length : 0);
}

// The mask that a run predicted; null if there is none.
async function predictionOf(id, run) {
  const answer = answerOf(run, id);
  const details = answer.ground && answer.ground.said ? await detailsOf(answer, run) : null;
  return details && details.mask;
}

function truthAnd(doc, prediction) {
  const masks = state.layers.truth ? [[doc.mask, "truth"]] : [];
  if (prediction && state.layers.prediction) masks.push([prediction, "prediction"]);
  return { masks };
}

function fillRow(row, sample) {
  const { doc } = sample;
  const facts = element("div", "facts", cardHead({ ...sample, outcome: null }), apart(doc.question, "p", "question"), apart(doc.options_text, "p", "options"),
    element("p", "verdict", element("span", "label", "Expected "), apart(`(${doc.answer})`)), soughtPart(doc));
  const overlay = truthAnd(doc, null);
  const cells = element("div", "cells", ...sample.sides.map((side) => sideCell(sample, side)));
  row.replaceChildren(framed(sample, 200, overlay, inWords(sample, "", overlay)), facts, cells);
}

function sideCell(sample, { run, answer }) {
  const outcome = answer.outcomes && answer.outcomes[state.rule];
  const asked = answer.vqa || answer.open;
  const name = element("a", "model", apart(data.runs[run].model));
  name.href = address({ run, image: sample.id });
  const overlay = truthAnd(sample.doc, sample.predictions[run]);
  const said = asked ? element("p", "", quoted(asked.text), " ", verdict(asked.right)) : null;
  return element("div", "side", name, framed(sample, 190, overlay, `${data.runs[run].model}: ${inWords(sample, "", overlay)}`),
    answer.ground ? meter(answer.ground) : element("p", "label", "Grounding not run"), said,
    outcome ? element("p", "outcome", element("i", outcome), sample.doc.pair === null ? null : "Pair: ", data.outcomes[outcome]) : null);
}
