// Below an open card: the answer token by token, the open phrase with its candidate masks, and the image in other runs.

// The initial candidate: the selected one, or else the highest-scoring one (the last one if scores are equal).
function startCandidate({ selected, phrases }, index) {
  if (selected && selected.phrase === index && selected.candidate !== null) return selected.candidate;
  const scores = (phrases[index] ? phrases[index].candidates : []).map((candidate) => candidate.score);
  return scores.lastIndexOf(Math.max(...scores));
}

function inspector(sample, phrase, view, change) {
  const parts = phrase ? phrasePart(sample, phrase, view, change) : [];
  return element("div", "inspector", scrubber(sample, view, change), ...parts, besides(sample));
}

function phrasePart(sample, phrase, view, change) {
  const { selected } = sample.details;
  const similarity = phrase.similarity === null ? "not measured" : phrase.similarity.toFixed(3);
  const point = phrase.point ? place(phrase.point) : "none";
  const chosen = selected ? [" Selection by ", apart(selected.by), selected.phrase === null ? ": not there." : "."] : [];
  return [
    element("p", "", element("b", "", quoted(phrase.text)), ` Similarity to the expression: ${similarity}. Point: ${point}.`, ...chosen),
    mapLegend(phrase),
    candidates(sample, phrase, view, change),
  ];
}

// One tile per kind of mask: those that are nearly the same are one, unless the reader asks for all.
function candidates(sample, phrase, view, change) {
  if (!phrase.candidates.length) return element("p", "label", "No candidate masks.");
  const groups = view.all ? phrase.candidates.map((_, index) => [index]) : alike(phrase.candidates);
  const tiles = groups.map((group) => candidateTile(sample, phrase, group, view, change));
  const hidden = phrase.candidates.length - groups.length;
  const more = hidden || view.all ? button("more", Boolean(view.all), () => change({ all: !view.all }), view.all ? "One of each kind" : `Show all ${phrase.candidates.length}`) : null;
  return element("div", "candidates", ...tiles, more);
}

// The candidates' indices, those of nearly the same masks together.
function alike(candidates) {
  const groups = new Map();
  candidates.forEach(({ like }, index) => groups.set(like, [...(groups.get(like) || []), index]));
  return [...groups.values()];
}

function mapLegend(phrase) {
  if (!phrase.map) return element("p", "label", "The answer has no attention map for this phrase.");
  const ramp = element("i", "ramp");
  ramp.style.background = `linear-gradient(90deg, ${HEAT.map((rgb) => `rgb(${rgb})`).join(", ")})`;
  return element("p", "legend-line", "Attention: low", ramp, "high");
}

// The tile of a group shows its selected member, else the best one, else the open one, else the first.
function candidateTile(sample, phrase, group, view, change) {
  const { doc, image, details: { selected, oracle } } = sample;
  const isSelected = (index) => selected && selected.phrase === view.phrase && selected.candidate === index;
  const isBest = (index) => oracle && oracle[0] === view.phrase && oracle[1] === index;
  const shown = [isSelected, isBest, (index) => view.candidate === index].map((test) => group.find(test)).find((index) => index !== undefined) ?? group[0];
  const candidate = phrase.candidates[shown];
  return button("candidate", group.includes(view.candidate), () => change({ candidate: shown }),
    picture(doc, image, 110, { masks: [[candidate.mask, "candidate"]], point: phrase.point }, `Candidate mask ${shown + 1}`),
    element("span", "", `score ${candidate.score.toFixed(2)}`), element("span", "", `IoU ${candidate.iou.toFixed(2)}`),
    group.length > 1 ? element("span", "label", `${group.length} nearly the same`) : null,
    group.some(isSelected) ? element("span", "tag", "selected") : null, group.some(isBest) ? element("span", "tag best", "best IoU") : null);
}

// The same image in the other runs of its benchmark, such as a pixel-level model's own masks; each is a link.
function besides(sample) {
  const others = runsOf(data.runs[state.run].benchmark).filter((run) => run !== state.run && answerOf(run, sample.id)?.ground);
  if (!others.length) return null;
  const tiles = others.map((run) => {
    const { ground } = answerOf(run, sample.id);
    const link = element("a", "beside", apart(data.runs[run].model, "span"), element("span", "label", ground.iou === null ? "no object" : `IoU ${ground.iou.toFixed(2)}`));
    link.href = address({ run, image: sample.id });
    predictionOf(sample.id, run).then((mask) => {
      const overlay = truthAnd(sample.doc, mask);
      link.prepend(picture(sample.doc, sample.image, 110, overlay, inWords(sample, "", overlay)));
    });
    return link;
  });
  return element("div", "besides", element("p", "label", "The same image, other models:"), element("div", "candidates", ...tiles));
}
