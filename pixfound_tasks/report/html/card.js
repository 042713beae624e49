// One image's card. Text from models and data only becomes text nodes, never markup.

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function button(className, isPressed, onClick, ...children) {
  const node = element("button", className, ...children);
  node.type = "button";
  node.setAttribute("aria-pressed", String(isPressed));
  node.addEventListener("click", onClick);
  return node;
}

const PIXELS = 2; // canvas pixels per CSS pixel

// An image with its overlays: a map, masks as [mask, ink], and a point in fractions of width and height.
// `words` are for readers who do not see it.
function picture(doc, source, side, { map = null, masks = [], point = null }, words) {
  const { width, height } = doc;
  const box = element("div", "picture");
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", words);
  box.style.aspectRatio = `${width} / ${height}`;
  if (source) {
    const image = element("img", Math.max(width, height) <= 128 ? "drawing" : "");
    image.decoding = "async";
    image.src = source;
    image.alt = "";
    box.append(image);
  }
  const canvas = element("canvas");
  const scale = side * PIXELS / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  if (map) paintMap(canvas, map);
  for (const [mask, ink] of masks) paintMask(canvas, mask, ink, !map);
  box.append(canvas);
  if (point) {
    const mark = element("span", "point");
    mark.style.left = `${100 * point[0]}%`;
    mark.style.top = `${100 * point[1]}%`;
    box.append(mark);
  }
  return box;
}

// `view` is the reader's choice: the layers that are shown, and the phrase and candidate that are open.
function fillCard(card, sample, view, change) {
  const { doc, answer, details } = sample;
  const { layers } = view;
  const phrase = details && details.phrases[view.phrase];
  const candidate = phrase && phrase.candidates[view.candidate];
  const masks = [];
  if (layers.truth) masks.push([doc.mask, "truth"]);
  if (phrase && candidate && layers.candidate) masks.push([candidate.mask, "candidate"]);
  if (!phrase && layers.prediction && details && answer.ground.said) masks.push([details.mask, "prediction"]);
  const overlay = { masks, map: phrase && layers.map ? phrase.map : null, point: phrase && layers.point ? phrase.point : null };
  const facts = element("div", "facts", cardHead(sample), ...questionPart(doc, answer), ...groundingPart(sample, view, change));
  card.replaceChildren(picture(doc, sample.image, 240, overlay, inWords(sample, phrase, overlay)), facts);
  if (phrase) card.append(inspector(sample, phrase, view, change));
}

// What the picture of a card shows: "Image 18 with ground truth, prediction".
function inWords({ id }, phrase, { masks, map, point }) {
  const names = { truth: "the ground truth", prediction: "the prediction", candidate: "a candidate mask" };
  const parts = masks.map(([, ink]) => names[ink]);
  if (map) parts.push(`the attention of "${phrase.text}"`);
  if (point) parts.push(`its point, ${place(point)}`);
  return `Image ${id}${parts.length ? ` with ${parts.join(", ")}` : ""}`;
}

function place(point) {
  const [x, y] = point.map((share) => `${(100 * share).toFixed(0)} %`);
  return `${x} from the left, ${y} from the top`;
}

function cardHead({ id, doc, outcome, outcomeName, link }) {
  const anchor = element("a", "", apart(`Image ${id}`));
  anchor.href = link;
  const pair = doc.pair === null ? null : element("span", "", `Pair ${doc.pair + 1}`);
  const badge = outcome ? element("span", "outcome", element("i", outcome), doc.pair === null ? null : "Pair: ", outcomeName) : null;
  const kinds = [doc.pattern, doc.source, doc.task].filter(Boolean).flatMap((kind) => [" · ", apart(kind)]).slice(1);
  return element("div", "card-head", anchor, pair, badge, element("span", "pattern", ...kinds));
}

function questionPart(doc, { vqa, open }) {
  const expected = element("p", "verdict", element("span", "label", "Expected "), apart(`(${doc.answer})`));
  if (vqa) expected.append(element("span", "label", " · answered "), quoted(vqa.text), " ", verdict(vqa.right));
  if (!vqa && !open) expected.append(element("span", "label", " · not run"));
  const parts = [apart(doc.question, "p", "question"), apart(doc.options_text, "p", "options"), expected];
  if (open) {
    const judge = open.by ? element("span", "label", " by ", apart(open.by)) : null;
    parts.push(element("p", "verdict open", element("span", "label", "Open answer "), quoted(open.text), " ", verdict(open.right), judge));
  }
  return parts;
}

// Isolates text of a model or data set, so that bidirectional control characters in it do not affect other text.
function apart(text, tag = "bdi", className = "") {
  const node = element(tag, className, text);
  node.dir = "auto";
  return node;
}

function quoted(text) {
  return apart(`“${text}”`);
}

function verdict(right) {
  if (right === null) return element("span", "label", "unjudged");
  return element("span", right ? "right" : "wrong", right ? "correct ✓" : "incorrect ✗");
}

function groundingPart(sample, view, change) {
  const { doc, answer: { ground }, details } = sample;
  const absent = doc.expression !== null && doc.absent ? element("span", "label", ", which is absent") : null;
  const sought = element("p", "sought", element("span", "label", "Refers to "),
    doc.expression === null ? "no object" : element("b", "", apart(doc.expression)), absent);
  if (!ground) return [sought, element("p", "label", "Grounding not run")];
  const parts = [sought, meter(ground)];
  if (ground.text || details.phrases.length) parts.push(markedText(ground, details, view, change));
  return parts;
}

function meter(ground) {
  const said = ground.said === null ? "no mask in the answer" : ground.said === "absent" ? "predicted: not there" : null;
  const track = element("span", "track", element("i"));
  track.firstChild.style.width = `${100 * (ground.iou || 0)}%`;
  return element("div", "meter", element("span", "label", "IoU"), element("b", "", ground.iou === null ? "–" : ground.iou.toFixed(2)),
    ground.iou === null ? null : track, said && element("span", "label", said));
}

// The phrases' indices in reading order; phrases without a range come last.
function phraseOrder({ phrases }) {
  const start = (index) => (phrases[index].chars ? phrases[index].chars[0] : Infinity);
  return phrases.map((_, index) => index).sort((a, b) => start(a) - start(b) || a - b);
}

// The answer with its phrases as buttons. Ranges count code points. Phrases without a range, or that overlap, come last.
function markedText(ground, details, view, change) {
  const characters = Array.from(ground.text);
  const node = element("p", "answer");
  node.dir = "auto";
  const chip = (index, text) => {
    const { similarity } = details.phrases[index];
    const isSelected = details.selected && details.selected.phrase === index;
    const press = () => change({ phrase: view.phrase === index ? null : index, candidate: null });
    return button(`phrase${isSelected ? " selected" : ""}`, view.phrase === index, press, element("bdi", "", text),
      similarity === null ? null : element("small", "", similarity.toFixed(2)));
  };
  let end = 0;
  const left = [];
  for (const index of phraseOrder(details)) {
    const { chars, text } = details.phrases[index];
    const [from, to] = chars || [0, 0];
    if (!chars || from < end || to <= from || to > characters.length) {
      left.push(" ", chip(index, text));
      continue;
    }
    node.append(characters.slice(end, from).join(""), chip(index, characters.slice(from, to).join("")));
    end = to;
  }
  node.append(characters.slice(end).join(""), ...left);
  return node;
}
