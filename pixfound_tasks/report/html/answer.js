// What a model wrote: its thinking, and its answer with the phrases as buttons.

function groundingPart(sample, view, change) {
  const { doc, answer: { ground }, details } = sample;
  const sought = soughtPart(doc);
  if (!ground) return [sought, element("p", "label", "Grounding not run")];
  if (!details) return [sought, meter(ground), element("p", "answer", apart(ground.text))];
  const parts = [sought, meter(ground), details.draft && thinking(details, view, change)];
  if (ground.text || details.phrases.length) parts.push(markedText(ground.text, details, details.phrases, 0, view, change));
  if (view.step === null && view.phrase === null && stepsOf(details).length > 1) parts.push(opener(details, change));
  return parts;
}

function soughtPart(doc) {
  const absent = doc.expression !== null && doc.absent ? element("span", "label", ", which is absent") : null;
  return element("p", "sought", element("span", "label", "Refers to "),
    doc.expression === null ? "no object" : element("b", "", apart(doc.expression)), absent);
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

// The phrases of the answer, and after them those of the thinking before it.
function phrasesOf({ phrases, draft }) {
  return draft ? [...phrases, ...draft.phrases] : phrases;
}

// What the model wrote before its answer. Nothing of it is scored.
function thinking(details, view, change) {
  const { draft, phrases } = details;
  const node = element("details", "draft", element("summary", "", draft.tokens === null ? "Thinking" : `Thinking, ${draft.tokens} tokens`),
    markedText(draft.text, details, draft.phrases, phrases.length, view, change));
  node.open = view.phrase !== null && view.phrase >= phrases.length;
  return node;
}

// A text with its phrases as buttons. Ranges count code points. Phrases without a range, or that overlap, come last.
// `first` is the number of the first of these phrases.
function markedText(written, details, phrases, first, view, change) {
  const characters = Array.from(written);
  const node = element("p", "answer");
  node.dir = "auto";
  const chip = (index, text) => {
    const { similarity } = phrases[index];
    const number = first + index;
    const isSelected = details.selected && details.selected.phrase === number;
    const press = () => change({ phrase: view.phrase === number ? null : number, candidate: null, step: null });
    return button(`phrase${isSelected ? " selected" : ""}`, view.phrase === number, press, element("bdi", "", text),
      similarity === null ? null : element("small", "", similarity.toFixed(2)));
  };
  let end = 0;
  const left = [];
  for (const index of phraseOrder({ phrases })) {
    const { chars, text } = phrases[index];
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
