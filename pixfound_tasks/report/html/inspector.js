// Details of the open phrase: its attention map, its point and its candidate masks.

// The initial candidate: the selected one, or else the highest-scoring one (the last one if scores are equal).
function startCandidate({ selected, phrases }, index) {
  if (selected && selected.phrase === index && selected.candidate !== null) return selected.candidate;
  const scores = phrases[index].candidates.map((candidate) => candidate.score);
  return scores.lastIndexOf(Math.max(...scores));
}

function inspector(sample, phrase, view, change) {
  const { selected } = sample.details;
  const similarity = phrase.similarity === null ? "not measured" : phrase.similarity.toFixed(3);
  const point = phrase.point ? place(phrase.point) : "none";
  const chosen = selected ? [" Selection by ", apart(selected.by), selected.phrase === null ? ": not there." : "."] : [];
  const tiles = phrase.candidates.map((candidate, index) => candidateTile(sample, phrase, candidate, index, view, change));
  return element("div", "inspector",
    element("p", "", element("b", "", quoted(phrase.text)), ` Similarity to the expression: ${similarity}. Point: ${point}.`, ...chosen),
    mapLegend(phrase),
    element("div", "candidates", ...(tiles.length ? tiles : [element("span", "label", "No candidate masks.")])));
}

function mapLegend(phrase) {
  if (!phrase.map) return element("p", "label", "The answer has no attention map for this phrase.");
  const ramp = element("i", "ramp");
  ramp.style.background = `linear-gradient(90deg, ${HEAT.map((rgb) => `rgb(${rgb})`).join(", ")})`;
  return element("p", "legend-line", "Attention: low", ramp, "high");
}

function candidateTile(sample, phrase, candidate, index, view, change) {
  const { doc, image, details: { selected, oracle } } = sample;
  const isSelected = selected && selected.phrase === view.phrase && selected.candidate === index;
  const isBest = oracle && oracle[0] === view.phrase && oracle[1] === index;
  const tile = button("candidate", view.candidate === index, () => change({ candidate: index }),
    picture(doc, image, 110, { masks: [[candidate.mask, "candidate"]], point: phrase.point }, `Candidate mask ${index + 1}`),
    element("span", "", `score ${candidate.score.toFixed(2)}`), element("span", "", `IoU ${candidate.iou.toFixed(2)}`),
    isSelected ? element("span", "tag", "selected") : null, isBest ? element("span", "tag best", "best IoU") : null);
  return tile;
}
