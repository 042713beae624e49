// The first screen's examples: images with the ground truth and the prediction, each a link to its card.

async function drawExample(link) {
  const { run, id } = JSON.parse(link.dataset.example);
  const { benchmark, answers } = data.runs[run];
  const doc = data.documents[benchmark][id];
  const answer = answers.find((each) => each.id === id);
  const details = await detailsOf(answer, run);
  if (!details) return;
  const masks = [[doc.mask, "truth"], [details.mask, "prediction"]];
  const expression = apart(doc.expression, "span", "sought-for");
  link.prepend(picture(doc, imageSource(doc), 200, { masks }, `Image ${id} with the ground truth, the prediction`));
  link.append(expression, element("span", "label", `IoU ${answer.ground.iou.toFixed(2)}`));
}

for (const link of document.querySelectorAll("[data-example]")) drawExample(link);
