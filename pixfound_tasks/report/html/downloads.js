// Charts and cards to take away as SVG and PNG: one button each. What has `data-take` has them; its value is the label.

const PNG_SCALE = 3; // pixels per CSS pixel

function save(blob, name) {
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function fileName(label, kind) {
  return `${label.replace(/[^A-Za-z0-9.-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 80) || "chart"}.${kind}`;
}

function pictureOf(node, label) {
  const plot = node.matches("figure") && node.querySelector("img[src^='data:image/svg']");
  const uri = node.dataset.plot || (plot && plot.src); // the plot that says the same, if there is one
  return uri ? plotPicture(label, uri) : elementPicture(label, node);
}

function asText(picture) {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(picture)}`;
}

// The picture in pixels. An SVG in a data URI may be read from a canvas, since it loads nothing.
async function asPng(picture) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(asText(picture))}`;
  await image.decode();
  const canvas = element("canvas");
  canvas.width = Math.ceil(Number(picture.getAttribute("width")) * PNG_SCALE);
  canvas.height = Math.ceil(Number(picture.getAttribute("height")) * PNG_SCALE);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}

const KINDS_TO_TAKE = {
  svg: async (picture) => new Blob([asText(picture)], { type: "image/svg+xml" }),
  png: asPng,
};

async function take(node, label, stem, kind, status) {
  status.textContent = "";
  try {
    save(await KINDS_TO_TAKE[kind](pictureOf(node, label)), fileName(stem, kind));
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
    status.textContent = "Images in files can only be taken if the page comes from a web server.";
  }
}

// `label` is written above the picture, and `stem` names its file; both may change with the page.
function addTaking(node, label, stem = label) {
  const status = element("span", "label");
  status.setAttribute("role", "status");
  const buttons = Object.keys(KINDS_TO_TAKE).map((kind) => {
    const each = button("", false, () => take(node, label(), stem(), kind, status), kind.toUpperCase());
    each.removeAttribute("aria-pressed");
    each.setAttribute("aria-label", `Save as ${kind.toUpperCase()}: ${stem()}`);
    return each;
  });
  const row = element("div", "take", element("span", "label", "Save as "), ...buttons, status);
  row.addEventListener("keydown", (event) => event.stopPropagation()); // Enter and Space are the buttons'
  (node.querySelector(".facts") || node).append(row);
}

function cardLabel(card) {
  const model = data.runs[state.run];
  const rows = state.mode === "compare" ? model.benchmark : `${model.model} on ${model.benchmark}`;
  return `${rows}, image ${card.dataset.id}`;
}

for (const node of document.querySelectorAll("[data-take]")) {
  addTaking(node, () => node.dataset.take, () => node.dataset.stem || node.dataset.take);
}

// Cards are filled when they come near the window, and again after every choice.
new MutationObserver(() => {
  for (const card of document.querySelectorAll("#grid .card")) {
    if (card.firstChild && !card.querySelector(".take")) addTaking(card, () => cardLabel(card));
  }
}).observe(document.getElementById("grid"), { childList: true, subtree: true });

for (const box of document.querySelectorAll("#cite")) {
  const text = box.querySelector("pre");
  const copy = box.querySelector("button");
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent);
    copy.textContent = "Copied";
  });
}
