// What is drawn over the images: which layers, and how strongly.

const LAYERS = { truth: "Ground truth", prediction: "Prediction", candidate: "Candidate", map: "Map", point: "Point" };
const OPACITIES = { map: "Map", masks: "Masks" };
let layersAreOpen = false;

function layer(name, words) {
  const box = element("input");
  box.type = "checkbox";
  box.checked = state.layers[name];
  box.addEventListener("change", () => {
    state.layers[name] = box.checked;
    redraw();
    remember();
  });
  return element("label", "", box, element("i", `key ${name}`), words);
}

function opacity(name, words) {
  const range = element("input");
  Object.assign(range, { type: "range", min: 10, max: 100, step: 5, value: state.opacity[name] });
  range.setAttribute("aria-label", `Opacity of ${words.toLowerCase()}`);
  range.addEventListener("input", () => {
    state.opacity[name] = Number(range.value);
    applyOpacity();
    remember();
  });
  return element("label", "opacity", `${words}, opacity`, range);
}

function applyOpacity() {
  for (const name of Object.keys(OPACITIES)) document.body.style.setProperty(`--${name}-opacity`, state.opacity[name] / 100);
}

function layersMenu() {
  const menu = element("details", "layers", element("summary", "", "Layers"),
    element("div", "menu", ...Object.entries(LAYERS).map(([name, words]) => layer(name, words)),
      ...Object.entries(OPACITIES).map(([name, words]) => opacity(name, words))));
  menu.open = layersAreOpen;
  menu.addEventListener("toggle", () => { layersAreOpen = menu.open; });
  return menu;
}
