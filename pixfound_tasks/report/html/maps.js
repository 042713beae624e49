// A phrase's attention: a coarse map, drawn smoothly over the dimmed image, as `heat.py` draws maps.

// matplotlib's inferno, from dark to bright in even steps of lightness, so that it also works in grayscale.
const HEAT = ["#000004", "#160b39", "#420a68", "#6a176e", "#932667", "#bc3754", "#dd513a", "#f37819", "#fca50a", "#f6d746", "#fcffa4"]
  .map((color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
const HEAT_ALPHA = 0.82; // opacity of the highest values; the lowest values are transparent
const DIM = 0.5; // opacity of the black that dims the image under a map
const TOP_LEVEL = 15;

// The cells' values in 0..1, row by row. Each byte has two levels, the first in the high four bits.
function mapValues({ size: [rows, columns], levels }) {
  const bytes = atob(levels);
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const byte = bytes.charCodeAt(i >> 1);
    return (i % 2 ? byte & 15 : byte >> 4) / TOP_LEVEL;
  });
}

// For each pixel along an axis, the cells that contribute to it and their weights, by Catmull-Rom splines.
function shares(length, cells) {
  return Array.from({ length }, (_, pixel) => {
    const place = (pixel + 0.5) * cells / length - 0.5;
    const first = Math.floor(place), f = place - first;
    const weights = [f * (-0.5 + f * (1 - 0.5 * f)), 1 + f * f * (1.5 * f - 2.5), f * (0.5 + f * (2 - 1.5 * f)), f * f * (0.5 * f - 0.5)];
    return weights.map((weight, k) => [Math.min(Math.max(first - 1 + k, 0), cells - 1), weight]);
  });
}

function smoothed(values, rows, columns, height, width) {
  const across = shares(width, columns), down = shares(height, rows);
  const wide = new Float32Array(rows * width), full = new Float32Array(height * width);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < width; x++) for (const [cell, weight] of across[x]) wide[y * width + x] += weight * values[y * columns + cell];
  }
  for (let y = 0; y < height; y++) {
    for (const [cell, weight] of down[y]) for (let x = 0; x < width; x++) full[y * width + x] += weight * wide[cell * width + x];
  }
  return full;
}

function heat(value) {
  const place = Math.min(Math.max(value, 0), 1) * (HEAT.length - 1);
  const below = Math.min(Math.floor(place), HEAT.length - 2);
  const rgb = HEAT[below].map((part, i) => part + (place - below) * (HEAT[below + 1][i] - part));
  const rise = Math.min(place / (HEAT.length - 1) / 0.5, 1);
  return [...rgb, 255 * HEAT_ALPHA * rise * rise * (3 - 2 * rise)];
}

function paintMap(canvas, map) {
  const { width, height } = canvas;
  const [rows, columns] = map.size;
  const values = smoothed(mapValues(map), rows, columns, height, width);
  const steps = Array.from({ length: 256 }, (_, i) => heat(i / 255));
  const picture = new ImageData(width, height);
  values.forEach((value, i) => picture.data.set(steps[Math.min(Math.max(Math.round(255 * value), 0), 255)], 4 * i));
  const layer = sheet(width, height);
  layer.putImageData(picture, 0, 0);
  const target = canvas.getContext("2d");
  target.fillStyle = `rgb(0 0 0 / ${DIM})`;
  target.fillRect(0, 0, width, height);
  target.drawImage(layer.canvas, 0, 0);
}
