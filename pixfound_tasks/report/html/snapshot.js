// A part of the page as an SVG picture: text stays text, images and canvases are embedded, the ground is white.

const SVG = "http://www.w3.org/2000/svg";
const OUTCOME_FILLS = { // background and marks of the outcomes, as page.css has them
  both_right: ["#08765f", null],
  vqa_only_failure: ["#b4d7f2", ["M-2 2 l4 -4 M0 8 l8 -8 M6 10 l4 -4", "#7fb7e6"]],
  grounding_only_failure: ["#f8dd9b", ["M-2 6 l4 4 M0 0 l8 8 M6 -2 l4 4", "#f0c04c"]],
  both_wrong: ["#6e1f40", ["M3 4 a1 1 0 1 0 2 0 a1 1 0 1 0 -2 0", "#a3597a"]],
};
const NOT_TAKEN = ".take, .choices, .hint, noscript, script, select, input, button:not(.phrase):not(.candidate)";
const MARGIN = 12, LABEL_SIZE = 13;

function drawn(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.append(...children);
  return node;
}

// The whole picture: the label above what `draw(parent)` adds, which is as large as `width` and `height` say.
function framedPicture(label, width, height, draw) {
  const lines = labelLines(label, Math.max(width, 240));
  const top = MARGIN + lines.length * LABEL_SIZE * 1.4;
  const whole = [Math.max(width, 240) + 2 * MARGIN, height + top + MARGIN];
  const body = drawn("g", { transform: `translate(${MARGIN} ${top})` });
  const root = drawn("svg", { xmlns: SVG, width: whole[0], height: whole[1], viewBox: `0 0 ${whole.join(" ")}`, "font-family": "system-ui, sans-serif" },
    drawn("title", {}, label), drawn("rect", { width: "100%", height: "100%", fill: "#fff" }),
    ...lines.map((line, i) => drawn("text", { x: MARGIN, y: MARGIN + (i + 0.8) * LABEL_SIZE * 1.4, "font-size": LABEL_SIZE, "font-weight": 600, fill: "#1b1f24" }, line)), body);
  draw(body);
  return root;
}

function labelLines(label, width) {
  const context = sheet(1, 1);
  context.font = `600 ${LABEL_SIZE}px system-ui, sans-serif`;
  const lines = [""];
  for (const word of label.split(/\s+/)) {
    const longer = `${lines[lines.length - 1]} ${word}`.trim();
    if (lines[lines.length - 1] && context.measureText(longer).width > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

// A plot is an SVG already: it is put below its label as it is.
function plotPicture(label, uri) {
  const plot = parsedPlot(uri);
  const [, , width, height] = plot.getAttribute("viewBox").split(" ").map(Number);
  return framedPicture(label, width, height, (body) => body.append(sizedPlot(plot, 0, 0, width, height)));
}

function parsedPlot(uri) {
  const text = new TextDecoder().decode(Uint8Array.from(atob(uri.split(",")[1]), (c) => c.charCodeAt(0)));
  return document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
}

function sizedPlot(plot, x, y, width, height) {
  for (const [name, value] of Object.entries({ x, y, width, height })) plot.setAttribute(name, value);
  return plot;
}

// Draws an element as it looks on a light screen, with all of its text. Throws SecurityError if an image may not be read.
function elementPicture(label, node) {
  return inLight(() => unclipped(node, () => {
    const origin = node.getBoundingClientRect();
    return framedPicture(label, origin.width, origin.height, (body) => addElement(body, node, origin));
  }));
}

// The dark scheme's rules are off while `make` runs; nothing is painted meanwhile.
function inLight(make) {
  const dark = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => rule.media && rule.media.mediaText.includes("dark"));
  const before = dark.map((rule) => rule.media.mediaText);
  for (const rule of dark) rule.media.mediaText = "not all";
  try {
    return make();
  } finally {
    dark.forEach((rule, i) => { rule.media.mediaText = before[i]; });
  }
}

function unclipped(node, make) {
  const clipped = [...node.querySelectorAll("*")].filter((each) => each.scrollHeight > each.clientHeight + 1 && getComputedStyle(each).maxHeight !== "none");
  const before = clipped.map((each) => each.style.maxHeight);
  for (const each of clipped) each.style.maxHeight = "none";
  try {
    return make();
  } finally {
    clipped.forEach((each, i) => { each.style.maxHeight = before[i]; });
  }
}

function addElement(parent, node, origin) {
  if (node.matches(NOT_TAKEN)) return;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  if (style.display === "none" || style.visibility === "hidden" || style.opacity === "0") return;
  const [x, y] = [box.left - origin.left, box.top - origin.top];
  if (box.width && box.height) addGround(parent, node, style, x, y, box);
  if (node instanceof HTMLImageElement) addImage(parent, node, x, y, box);
  else if (node instanceof HTMLCanvasElement) parent.append(embedded(node.toDataURL(), x, y, box, style.opacity));
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) addText(parent, child, style, origin);
    else if (child.nodeType === Node.ELEMENT_NODE) addElement(parent, child, origin);
  }
}

function addGround(parent, node, style, x, y, { width, height }) {
  const outcome = Object.keys(OUTCOME_FILLS).find((name) => node.classList.contains(name));
  const radius = Math.min(parseFloat(style.borderTopLeftRadius) || 0, width / 2, height / 2);
  const shape = { x, y, width, height, rx: radius };
  const line = style.borderTopStyle !== "none" ? parseFloat(style.borderTopWidth) : 0;
  const isBox = line && style.borderBottomStyle !== "none" && parseFloat(style.borderBottomWidth);
  const ground = outcome ? OUTCOME_FILLS[outcome][0] : style.backgroundColor;
  if (outcome || !/, 0\)$|transparent/.test(ground)) parent.append(drawn("rect", { ...shape, fill: ground }));
  const stops = style.backgroundImage.startsWith("linear-gradient") && style.backgroundImage.match(/rgba?\([^)]*\)/g);
  if (stops && !outcome) parent.append(...ramp(stops, shape));
  if (outcome && OUTCOME_FILLS[outcome][1]) parent.append(...marks(OUTCOME_FILLS[outcome][1], shape));
  if (isBox) parent.append(drawn("rect", { ...shape, fill: "none", stroke: style.borderTopColor, "stroke-width": line, ...(style.borderTopStyle === "dashed" ? { "stroke-dasharray": "3 2" } : {}) }));
  else if (line) parent.append(drawn("path", { d: `M${x} ${y} h${width}`, stroke: style.borderTopColor, "stroke-width": line }));
}

// Patterns and ramps have ids of their own, since several pictures may be put into one document.
let fills = 0;
function fillId() {
  fills += 1;
  return `fill-${Date.now().toString(36)}-${fills}`;
}

function ramp(stops, shape) {
  const id = fillId();
  const places = stops.map((color, i) => drawn("stop", { offset: i / Math.max(stops.length - 1, 1), "stop-color": color }));
  return [drawn("linearGradient", { id }, ...places), drawn("rect", { ...shape, fill: `url(#${id})` })];
}

function marks([path, color], shape) {
  const id = fillId();
  const mark = color === OUTCOME_FILLS.both_wrong[1][1] ? { fill: color } : { stroke: color, "stroke-width": 3, fill: "none" };
  return [
    drawn("pattern", { id, width: 8, height: 8, patternUnits: "userSpaceOnUse" }, drawn("path", { d: path, ...mark })),
    drawn("rect", { ...shape, fill: `url(#${id})` }),
  ];
}

function embedded(uri, x, y, { width, height }, opacity = 1) {
  return drawn("image", { href: uri, x, y, width, height, opacity, preserveAspectRatio: "none" });
}

function addImage(parent, image, x, y, box) {
  if (image.src.startsWith("data:image/svg")) {
    parent.append(sizedPlot(parsedPlot(image.src), x, y, box.width, box.height));
    return;
  }
  if (!image.naturalWidth) return;
  const copy = element("canvas");
  [copy.width, copy.height] = [image.naturalWidth, image.naturalHeight];
  copy.getContext("2d").drawImage(image, 0, 0);
  const kept = embedded(image.src.startsWith("data:") ? image.src : copy.toDataURL(), x, y, box);
  if (image.classList.contains("drawing")) kept.setAttribute("style", "image-rendering: pixelated");
  parent.append(kept);
}

// A text node's lines, each where the browser has set it.
function addText(parent, node, style, origin) {
  const range = document.createRange();
  let line = null;
  const end = () => { if (line) parent.append(textLine(line, style)); };
  for (const { index, 0: word } of node.data.matchAll(/\S+/g)) {
    range.setStart(node, index);
    range.setEnd(node, index + word.length);
    const [box] = range.getClientRects();
    if (!box || !box.width) continue;
    const [x, y] = [box.left - origin.left, box.top - origin.top];
    if (line && Math.abs(line.y - y) < 2) {
      line.words += ` ${word}`;
      line.right = x + box.width;
      continue;
    }
    end();
    line = { words: word, x, y, right: x + box.width, height: box.height };
  }
  end();
}

function textLine({ words, x, y, right, height }, style) {
  const size = parseFloat(style.fontSize);
  return drawn("text", { x, y: y + height / 2 + 0.36 * size, "font-size": size, "font-weight": style.fontWeight, fill: style.color, textLength: (right - x).toFixed(2), lengthAdjust: "spacingAndGlyphs" }, words);
}
