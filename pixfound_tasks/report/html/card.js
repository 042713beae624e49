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

// `view` is the reader's choice: the layers that are shown, and the phrase, candidate and token that are open.
function fillCard(card, sample, view, change) {
  const { doc, details } = sample;
  const phrase = details && phrasesOf(details)[view.phrase];
  const isOpen = Boolean(phrase) || view.step !== null;
  const overlay = overlayOf(sample, phrase, view);
  const words = inWords(sample, phrase ? phrase.text : "a token", overlay);
  const facts = element("div", "facts", cardHead(sample), ...questionPart(doc, sample.answer), ...groundingPart(sample, view, change));
  card.classList.toggle("open", isOpen);
  card.replaceChildren(framed(sample, isOpen ? 420 : 240, overlay, words), facts);
  if (isOpen) card.append(inspector(sample, phrase, view, change));
}

// The picture, which a click enlarges. The button is for the keyboard.
function framed(sample, side, overlay, words) {
  const box = picture(sample.doc, sample.image, side, overlay, words);
  const enlarge = button("enlarge", false, () => enlarged(sample, overlay, words), "⤢");
  enlarge.removeAttribute("aria-pressed");
  enlarge.setAttribute("aria-label", `Enlarge image ${sample.id}`);
  box.addEventListener("click", () => enlarged(sample, overlay, words));
  return element("div", "frame", box, enlarge);
}

function overlayOf({ doc, answer, details }, phrase, { layers, candidate, step }) {
  const masks = [];
  const chosen = phrase && phrase.candidates[candidate];
  if (layers.truth) masks.push([doc.mask, "truth"]);
  if (chosen && layers.candidate) masks.push([chosen.mask, "candidate"]);
  if (!phrase && layers.prediction && details && answer.ground.said) masks.push([details.mask, "prediction"]);
  const steps = step === null ? [] : stepsOf(details);
  const map = steps[step] ? steps[step].map : phrase ? phrase.map : null;
  return { masks, map: layers.map ? map : null, point: phrase && layers.point && isWithin(steps[step], phrase) ? phrase.point : null };
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
