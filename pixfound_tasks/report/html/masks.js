"use strict";

// Decodes COCO's compressed RLE to 0/1 values, column by column: pixel (x, y) is at x * height + y.
function decodeMask({ counts, size: [height, width] }) {
  const mask = new Uint8Array(height * width);
  const runs = [];
  let number = 0, scale = 1, start = 0;
  for (const character of counts) {
    const bits = character.charCodeAt(0) - 48;
    number += (bits & 31) * scale;
    scale *= 32;
    if (bits & 32) continue;
    if (bits & 16) number -= scale;
    if (runs.length > 2) number += runs[runs.length - 2];
    if (runs.length % 2) mask.fill(1, start, start + number);
    start += number;
    runs.push(number);
    number = 0;
    scale = 1;
  }
  return mask;
}

const INKS = {
  truth: { color: "#0072b2", dashed: false },
  prediction: { color: "#d55e00", dashed: true },
  candidate: { color: "#117733", dashed: false },
};
const AROUND = [[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1], [1, -1], [-1, 1]];

function sheet(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  return canvas.getContext("2d", { willReadFrequently: true });
}

// The mask resized with a smooth outline: opaque inside, transparent outside.
function stencil(mask, width, height) {
  const [rows, columns] = mask.size;
  const pixels = decodeMask(mask);
  const dots = new ImageData(columns, rows);
  for (let x = 0, i = 0; x < columns; x++) {
    for (let y = 0; y < rows; y++, i++) if (pixels[i]) dots.data[4 * (y * columns + x) + 3] = 255;
  }
  const small = sheet(columns, rows);
  small.putImageData(dots, 0, 0);
  const large = sheet(width, height);
  large.imageSmoothingQuality = "high";
  large.drawImage(small.canvas, 0, 0, width, height);
  const drawn = large.getImageData(0, 0, width, height);
  for (let i = 3; i < drawn.data.length; i += 4) drawn.data[i] = drawn.data[i] > 127 ? 255 : 0;
  large.putImageData(drawn, 0, 0);
  return large.canvas;
}

// Combines a shape with shifted copies of itself: "source-over" dilates it, "destination-in" erodes it.
function combined(shape, operation, reach) {
  const context = sheet(shape.width, shape.height);
  context.drawImage(shape, 0, 0);
  context.globalCompositeOperation = operation;
  for (const [dx, dy] of AROUND) context.drawImage(shape, dx * reach, dy * reach);
  return context;
}

function colored(context, style) {
  context.globalCompositeOperation = "source-in";
  context.fillStyle = style;
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}

function without(context, shape) {
  context.globalCompositeOperation = "destination-out";
  context.drawImage(shape, 0, 0);
}

function stripes(color) {
  const context = sheet(16, 16);
  context.fillStyle = color;
  context.fillRect(0, 0, 16, 16);
  context.fillStyle = "#fff";
  for (let y = 0; y < 16; y++) {
    for (const x of [8 - y, 24 - y]) context.fillRect(x, y, 8, 1);
  }
  return context.createPattern(context.canvas, "repeat");
}

// Draws one mask on a canvas: an outline inside its border, a white rim outside and, if `isFilled`, a light fill.
function paintMask(canvas, mask, ink, isFilled) {
  const { color, dashed } = INKS[ink];
  const shape = stencil(mask, canvas.width, canvas.height);
  const thickness = Math.max(1, Math.round(canvas.width / 300)); // of the rim; the outline is twice as thick
  const rim = combined(shape, "source-over", thickness);
  colored(rim, "#fff");
  without(rim, shape);
  const core = combined(shape, "destination-in", 2 * thickness);
  const line = combined(shape, "source-over", 0);
  without(line, core.canvas);
  colored(line, dashed ? stripes(color) : color);
  colored(core, color);
  const target = canvas.getContext("2d");
  for (const [layer, alpha] of [[rim, 0.75], [core, isFilled ? 0.22 : 0], [line, 1]]) {
    target.globalAlpha = alpha;
    target.drawImage(layer.canvas, 0, 0);
  }
  target.globalAlpha = 1;
}
