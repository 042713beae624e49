"use strict";

// A mask from COCO's run lengths in text form, 0/1 column by column: the pixel (x, y) is at x * height + y.
function decodeMask(counts, height, width) {
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

function maskIou(first, second) {
  let both = 0, any = 0;
  for (let i = 0; i < first.length; i++) {
    both += first[i] & second[i];
    any += first[i] | second[i];
  }
  return any ? both / any : 1;
}

const INKS = {
  truth: { rgb: [0, 114, 178], dashed: false },
  prediction: { rgb: [213, 94, 0], dashed: true },
  candidate: { rgb: [123, 50, 148], dashed: false },
};

// One mask over a canvas, whatever its size: a light fill, an outline inside, and a white rim outside it.
function paintMask(canvas, mask, height, width, ink) {
  const W = canvas.width, H = canvas.height;
  const inside = new Uint8Array(W * H);
  for (let y = 0; y < H; y++) {
    const row = Math.floor((y + 0.5) * height / H);
    for (let x = 0; x < W; x++) inside[y * W + x] = mask[Math.floor((x + 0.5) * width / W) * height + row];
  }
  const near = (x, y, reach, value) => {
    for (const [dx, dy] of [[reach, 0], [-reach, 0], [0, reach], [0, -reach], [reach, reach], [-reach, -reach], [reach, -reach], [-reach, reach]]) {
      const u = x + dx, v = y + dy;
      const found = u >= 0 && v >= 0 && u < W && v < H ? inside[v * W + u] : 0;
      if (found === value) return true;
    }
    return false;
  };
  const { rgb, dashed } = INKS[ink];
  const picture = new ImageData(W, H);
  for (let y = 0, i = 0; y < H; y++) {
    for (let x = 0; x < W; x++, i++) {
      let color = rgb, alpha = 0;
      if (!inside[i]) {
        if (near(x, y, 2, 1)) [color, alpha] = [[255, 255, 255], 190];
      } else if (near(x, y, 4, 0)) {
        const gap = dashed && ((x + y) >> 3) & 1;
        [color, alpha] = gap ? [[255, 255, 255], 230] : [rgb, 255];
      } else {
        alpha = 56;
      }
      picture.data.set([...color, alpha], 4 * i);
    }
  }
  const layer = new OffscreenCanvas(W, H);
  layer.getContext("2d").putImageData(picture, 0, 0);
  canvas.getContext("2d").drawImage(layer, 0, 0);
}
