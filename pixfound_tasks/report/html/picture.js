// An image with its overlays, each a layer of its own whose opacity the reader can set.

const PIXELS = 2; // canvas pixels per CSS pixel
const LONGEST_MAP = 360; // pixels of a map's canvas: a map is coarse, and is painted again for every token

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
  if (map) box.append(mapLayer(doc, map));
  if (masks.length) {
    const canvas = sized("masks", doc, side * PIXELS);
    for (const [mask, ink] of masks) paintMask(canvas, mask, ink, !map);
    box.append(canvas);
  }
  if (point) {
    const mark = element("span", "point");
    mark.style.left = `${100 * point[0]}%`;
    mark.style.top = `${100 * point[1]}%`;
    box.append(mark);
  }
  return box;
}

function sized(className, { width, height }, longest) {
  const canvas = element("canvas", className);
  const scale = longest / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  return canvas;
}

function mapLayer(doc, map) {
  const canvas = sized("map", doc, LONGEST_MAP);
  paintMap(canvas, map);
  return canvas;
}

// Puts another map into a picture, below its masks and its point.
function replaceMap(box, doc, map) {
  const old = box.querySelector("canvas.map");
  if (old) old.remove();
  if (!map) return;
  const image = box.querySelector("img");
  if (image) image.after(mapLayer(doc, map));
  else box.prepend(mapLayer(doc, map));
}

// What a picture shows: "Image 18 with the ground truth, the prediction".
const INK_WORDS = { truth: "the ground truth", prediction: "the prediction", candidate: "a candidate mask" };

function inWords({ id }, text, { masks = [], map, point }) {
  const parts = masks.map(([, ink]) => INK_WORDS[ink]);
  if (map) parts.push(`the attention of "${text}"`);
  if (point) parts.push(`its point, ${place(point)}`);
  return `Image ${id}${parts.length ? ` with ${parts.join(", ")}` : ""}`;
}

function place(point) {
  const [x, y] = point.map((share) => `${(100 * share).toFixed(0)} %`);
  return `${x} from the left, ${y} from the top`;
}
