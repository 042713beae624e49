// The page's data: an index of all images, read when the page opens, and blocks that are unpacked when a card is drawn.

const data = JSON.parse(document.getElementById("data").textContent);
const grid = document.getElementById("grid");
const state = {
  run: 0, rule: "paper", outcome: "", answer: "", pattern: "", source: "", task: "", text: "", sort: "id",
  layers: { truth: true, prediction: true, candidate: true, map: true, point: true },
};
const searched = new WeakMap(); // answer -> the text that is searched

function block(number) {
  return document.getElementById(`block-${number}`).textContent;
}

async function unpacked(number) {
  const bytes = Uint8Array.from(atob(block(number)), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function sampleOf(answer) {
  const run = data.runs[state.run];
  const outcome = answer.outcomes && answer.outcomes[state.rule];
  const doc = data.documents[run.benchmark][answer.id];
  return { id: answer.id, answer, outcome, outcomeName: data.outcomes[outcome], doc, link: hash(answer.id, null) };
}

// Loads what a card shows in addition to the index; it is kept while the card is near the window.
async function complete(sample) {
  const { answer, doc } = sample;
  if (sample.image !== undefined) return;
  sample.details = answer.ground ? await unpacked(answer.ground.block) : null;
  sample.image = doc.image === null ? null : block(doc.image);
}

function forget(sample) {
  delete sample.details;
  delete sample.image;
}

function matches(sample) {
  const { doc, answer, outcome } = sample;
  if (state.outcome && outcome !== state.outcome) return false;
  const asked = answer.vqa || answer.open;
  if (state.answer && !(asked && String(asked.right) === state.answer)) return false;
  if (Object.keys(data.kinds).some((kind) => state[kind] && doc[kind] !== state[kind])) return false;
  return !state.text || searchable(sample).includes(state.text.toLowerCase());
}

function searchable({ id, doc, answer }) {
  if (!searched.has(answer)) {
    const answers = ["vqa", "open", "ground"].map((name) => answer[name] && answer[name].text);
    const texts = [id, doc.question, doc.options_text, doc.expression, ...answers];
    searched.set(answer, texts.filter(Boolean).join("\n").toLowerCase());
  }
  return searched.get(answer);
}

function inOrder(list) {
  if (state.sort === "id") return list;
  const sign = state.sort === "lowest" ? 1 : -1;
  const iou = ({ answer }) => (answer.ground && answer.ground.iou !== null ? sign * answer.ground.iou : Infinity);
  return list.sort((a, b) => iou(a) - iou(b) || 0);
}
