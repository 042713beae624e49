// One image's card. Text from models and data only ever becomes text nodes.

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

// An image with masks over it: `layers` are [counts, ink]; the point is in fractions of width and height.
function picture(documentOf, source, side, layers, point) {
  const { width, height } = documentOf;
  const box = element("div", "picture");
  box.style.aspectRatio = `${width} / ${height}`;
  const isDrawing = Math.max(width, height) <= 128 ? "drawing" : "";
  if (source) {
    const image = element("img", isDrawing);
    image.src = source;
    image.alt = "";
    box.append(image);
  }
  const canvas = element("canvas");
  canvas.width = side * PIXELS;
  canvas.height = Math.max(1, Math.round(canvas.width * height / width));
  for (const [counts, ink] of layers) paintMask(canvas, decodeMask(counts, height, width), height, width, ink);
  box.append(canvas);
  if (point) {
    const mark = element("span", "point");
    mark.style.left = `${100 * point[0]}%`;
    mark.style.top = `${100 * point[1]}%`;
    box.append(mark);
  }
  return box;
}

// `view` is what the reader has set: layers shown, the phrase and the candidate looked at.
function fillCard(card, sample, view, change) {
  const { doc, answer } = sample;
  const grounding = answer.ground;
  const phrase = grounding && grounding.phrases[view.phrase];
  const candidate = phrase && phrase.candidates[view.candidate];
  const layers = view.truth ? [[doc.mask, "truth"]] : [];
  if (phrase) {
    if (candidate) layers.push([candidate.mask, "candidate"]);
  } else if (view.prediction && grounding && grounding.mask) {
    layers.push([grounding.mask, "prediction"]);
  }
  const facts = element("div", "facts", cardHead(sample), ...questionPart(doc, answer), ...groundingPart(doc, grounding, view, change));
  card.replaceChildren(picture(doc, sample.image, 240, layers, phrase && phrase.point), facts);
  if (phrase) card.append(inspector(sample, phrase, view, change));
}

function cardHead({ id, doc, outcome, outcomeName, link }) {
  const anchor = element("a", "", `Image ${id}`);
  anchor.href = link;
  const pair = doc.pair === null ? null : element("span", "", `Pair ${doc.pair + 1}`);
  const badge = outcome ? element("span", "outcome", element("i", outcome), outcomeName) : null;
  return element("div", "card-head", anchor, pair, badge,
    element("span", "pattern", [doc.pattern, doc.source, doc.task].filter(Boolean).join(" · ")));
}

function questionPart(doc, { vqa, open }) {
  const expected = element("p", "verdict", element("span", "label", "Expected "), `(${doc.answer})`);
  if (vqa) expected.append(element("span", "label", " · answered "), `“${vqa.text}” `, verdict(vqa.right));
  if (!vqa && !open) expected.append(element("span", "label", " · not asked"));
  const parts = [element("p", "question", doc.question), element("p", "options", doc.options_text), expected];
  if (open) {
    const judge = open.by ? element("span", "label", ` by ${open.by}`) : null;
    parts.push(element("p", "verdict open", element("span", "label", "Freely "), `“${open.text}” `, verdict(open.right), judge));
  }
  return parts;
}

function verdict(right) {
  if (right === null) return element("span", "label", "unjudged");
  return element("span", right ? "right" : "wrong", right ? "right ✓" : "wrong ✗");
}

function groundingPart(doc, grounding, view, change) {
  const absent = doc.expression !== null && isEmpty(doc.mask) ? element("span", "label", ", which is not there") : null;
  const sought = element("p", "sought", element("span", "label", "Refers to "),
    doc.expression === null ? "no object" : element("b", "", doc.expression), absent);
  if (!grounding) return [sought, element("p", "label", "Grounding not asked")];
  const parts = [sought, meter(grounding)];
  if (grounding.text || grounding.phrases.length) parts.push(markedText(grounding, view, change));
  return parts;
}

function meter(grounding) {
  const isKnown = grounding.iou !== null;
  const said = grounding.mask === null ? "no mask in the answer" : isEmpty(grounding.mask) ? "predicted: not there" : null;
  const track = element("span", "track", element("i"));
  track.firstChild.style.width = `${100 * (grounding.iou || 0)}%`;
  return element("div", "meter", element("span", "label", "IoU"), element("b", "", isKnown ? grounding.iou.toFixed(2) : "–"),
    isKnown ? track : null, said && element("span", "label", said));
}

// An empty mask is one run, of zeros.
function isEmpty(counts) {
  return [...counts].filter((character) => !((character.charCodeAt(0) - 48) & 32)).length === 1;
}

// The answer with its phrases as buttons. Ranges count code points; phrases without a range of their own come after.
function markedText(grounding, view, change) {
  const characters = Array.from(grounding.text);
  const node = element("p", "answer");
  const chip = (phrase, index, text) => {
    const isSelected = grounding.selected && grounding.selected.phrase === index;
    const similarity = phrase.similarity === null ? null : element("small", "", phrase.similarity.toFixed(2));
    const press = () => change({ phrase: view.phrase === index ? null : index, candidate: startCandidate(grounding, index) });
    return button(`phrase${isSelected ? " selected" : ""}`, view.phrase === index, press, text, similarity);
  };
  const order = grounding.phrases.map((phrase, index) => ({ phrase, index }));
  order.sort((a, b) => (a.phrase.chars ? a.phrase.chars[0] : Infinity) - (b.phrase.chars ? b.phrase.chars[0] : Infinity) || a.index - b.index);
  let end = 0;
  const left = [];
  for (const { phrase, index } of order) {
    const [from, to] = phrase.chars || [0, 0];
    if (!phrase.chars || from < end || to <= from || to > characters.length) {
      left.push(" ", chip(phrase, index, phrase.text));
      continue;
    }
    node.append(characters.slice(end, from).join(""), chip(phrase, index, characters.slice(from, to).join("")));
    end = to;
  }
  node.append(characters.slice(end).join(""), ...left);
  return node;
}

// The candidate to look at first: the one that was selected, else the surest.
function startCandidate(grounding, index) {
  const selected = grounding.selected;
  if (selected && selected.phrase === index && selected.candidate !== null) return selected.candidate;
  const scores = grounding.phrases[index].candidates.map((candidate) => candidate.score);
  return scores.lastIndexOf(Math.max(...scores));
}

function inspector(sample, phrase, view, change) {
  const { doc, answer: { ground } } = sample;
  const truth = decodeMask(doc.mask, doc.height, doc.width);
  const similarity = phrase.similarity === null ? "not measured" : phrase.similarity.toFixed(3);
  const [x, y] = (phrase.point || []).map((share) => `${(100 * share).toFixed(0)}%`);
  const point = phrase.point ? `${x} from the left, ${y} from the top` : "none";
  const tiles = phrase.candidates.map((candidate, index) => {
    const iou = maskIou(decodeMask(candidate.mask, doc.height, doc.width), truth);
    const isSelected = ground.selected && ground.selected.phrase === view.phrase && ground.selected.candidate === index;
    const isBest = ground.oracle && ground.oracle[0] === view.phrase && ground.oracle[1] === index;
    return button("candidate", view.candidate === index, () => change({ candidate: index }),
      picture(doc, sample.image, 110, [[candidate.mask, "candidate"]], phrase.point),
      element("span", "", `score ${candidate.score.toFixed(2)}`), element("span", "", `IoU ${iou.toFixed(2)}`),
      isSelected ? element("span", "tag", "selected") : null, isBest ? element("span", "tag best", "best by truth") : null);
  });
  const chosen = ground.selected ? ` Selection by ${ground.selected.by}${ground.selected.phrase === null ? ": not there" : ""}.` : "";
  return element("div", "inspector",
    element("p", "", element("b", "", `“${phrase.text}”`), ` Similarity to the expression: ${similarity}. Point: ${point}.${chosen}`),
    element("div", "candidates", ...(tiles.length ? tiles : [element("span", "label", "No candidate masks.")])));
}
