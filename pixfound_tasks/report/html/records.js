// The page's data: an index of all images, read when the page opens, and blocks that are unpacked when a card is drawn.

const data = JSON.parse(document.getElementById("data").textContent);
const grid = document.getElementById("grid");
const state = {
  run: 0, mode: "cards", rule: "paper", outcome: "", answer: "", pattern: "", source: "", task: "", text: "", sort: "id",
  layers: { truth: true, prediction: true, candidate: true, map: true, point: true },
  opacity: { map: 100, masks: 100 },
};
const searched = new WeakMap(); // answer -> the text that is searched

function block(number) {
  return document.getElementById(`block-${number}`).textContent;
}

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// A page that is split into files reads them from its server; what was read last is kept.
const MOST_FILES = 100;
const files = new Map(); // path -> promise of its JSON, or of null if it cannot be read

function fileOf(path) {
  if (!files.has(path)) {
    const read = fetch(path).then((response) => (response.ok ? response.json() : null)).catch(() => null);
    read.then((found) => { if (!found) document.body.classList.add("without-files"); });
    files.set(path, read);
    if (files.size > MOST_FILES) files.delete(files.keys().next().value);
  }
  return files.get(path);
}

async function detailsOf({ ground }, run) {
  if (typeof ground.block === "number") return unpacked(block(ground.block));
  const found = await fileOf(ground.block);
  return found && unpacked(found[run]);
}

function imageSource({ image }) {
  return typeof image === "number" ? block(image) : image;
}

function sampleOf(answer) {
  const run = data.runs[state.run];
  const outcome = answer.outcomes && answer.outcomes[state.rule];
  const doc = data.documents[run.benchmark][answer.id];
  return { id: answer.id, answer, outcome, outcomeName: data.outcomes[outcome], doc, link: address({ run: state.run, image: answer.id }) };
}

// Loads what a card or row shows in addition to the index; it is kept while it is near the window.
async function complete(sample) {
  const { answer, doc, sides } = sample;
  if (sample.image !== undefined) return;
  if (sides) {
    const masks = await Promise.all(sides.map(({ run }) => predictionOf(sample.id, run)));
    sample.predictions = Object.fromEntries(sides.map(({ run }, index) => [run, masks[index]]));
  } else {
    sample.details = answer.ground ? await detailsOf(answer, state.run) : null;
  }
  sample.image = imageSource(doc);
}

function forget(sample) {
  delete sample.details;
  delete sample.predictions;
  delete sample.image;
}

// In the comparison, an image matches if the answer of any model does.
function matches(sample) {
  const { doc } = sample;
  const answers = sample.sides ? sample.sides.map(({ answer }) => answer) : [sample.answer];
  if (Object.keys(data.kinds).some((kind) => state[kind] && doc[kind] !== state[kind])) return false;
  if (!answers.some(isWanted)) return false;
  return !state.text || answers.some((answer) => searchable(sample, answer).includes(state.text.toLowerCase()));
}

function isWanted(answer) {
  if (state.outcome && !(answer.outcomes && answer.outcomes[state.rule] === state.outcome)) return false;
  const asked = answer.vqa || answer.open;
  return !state.answer || Boolean(asked && String(asked.right) === state.answer);
}

function searchable({ id, doc }, answer) {
  if (!searched.has(answer)) {
    const answers = ["vqa", "open", "ground"].map((name) => answer[name] && answer[name].text);
    const texts = [id, doc.question, doc.options_text, doc.expression, ...answers];
    searched.set(answer, texts.filter(Boolean).join("\n").toLowerCase());
  }
  return searched.get(answer);
}

function inOrder(list) {
  if (state.sort === "id") return list;
  if (state.sort === "disagreement") return list.sort((a, b) => disagreement(b) - disagreement(a) || 0);
  const sign = state.sort === "lowest" ? 1 : -1;
  const iouOf = (answer) => (answer.ground && answer.ground.iou !== null ? sign * answer.ground.iou : Infinity);
  const iou = (sample) => (sample.sides ? Math.min(...sample.sides.map(({ answer }) => iouOf(answer))) : iouOf(sample.answer));
  return list.sort((a, b) => iou(a) - iou(b) || 0);
}
