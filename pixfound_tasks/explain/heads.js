// The grid of maps by layer and head. A click, or Enter, enlarges one; arrows move through the grid.

const SMALL = 48, MANY = 256; // pixels of the longer side of a small map; half of it if there are more than MANY
const HEAD_VALUES = { attention: "attention as recorded", centered: "minus the answer's mean" };

function addHeads(browser) {
  const { answer, state } = browser;
  const { heads } = answer;
  const grid = make("div", "grid-of-heads");
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-label", "Maps by layer and head");
  const cells = [];
  const [rows, columns] = heads.size;
  const side = heads.layers.length * heads.count > MANY ? SMALL / 2 : SMALL;
  let painted = ""; // what the small maps show
  for (const [row, layer] of heads.layers.entries()) {
    const line = make("div", "layer", make("span", "label", `${layer}`));
    for (let head = 0; head < heads.count; head++) {
      const canvas = make("canvas");
      const scale = side / Math.max(rows, columns);
      [canvas.width, canvas.height] = [Math.max(1, Math.round(columns * scale)), Math.max(1, Math.round(rows * scale))];
      const cell = pressable(canvas, false, () => browser.go({ head: isShown(state, row, head) ? null : [row, head] }));
      cell.setAttribute("aria-label", `Layer ${layer}, head ${head}`);
      cell.title = `Layer ${layer}, head ${head}`;
      cell.tabIndex = cells.length ? -1 : 0;
      cell.style.aspectRatio = browser.ratio;
      cell.style.backgroundImage = `url("${browser.image.src}")`;
      cells.push({ cell, canvas, row, head });
      line.append(cell);
    }
    grid.append(line);
  }
  grid.addEventListener("keydown", (event) => moveInGrid(event, cells, heads.count, browser));
  const of = heads.steps === "tokens" ? "the token or phrase shown above" : "the phrase shown above; without one, of the whole answer";
  const values = chooser("Values", "kind", Object.entries(HEAD_VALUES), state.kind, (kind) => browser.goAll({ kind }));
  const back = pressable("Back to all layers and heads", null, () => browser.go({ head: null }));
  const note = make("p", "note", `Rows are layers, columns are heads; each small map is of ${of}, on the scale of its own head. Click one to enlarge it, and use the arrow keys to move.`);
  const details = make("details", "heads", make("summary", "", `Layers and heads: ${heads.layers.length} × ${heads.count}`), make("div", "controls", values, back), note, grid);
  details.addEventListener("toggle", () => browser.show());
  browser.panel.append(details);
  browser.showHeads = () => {
    back.hidden = !state.head;
    if (!details.open) return;
    const maps = heads.kinds[state.kind];
    for (const { cell, row, head } of cells) cell.setAttribute("aria-pressed", String(isShown(state, row, head)));
    const shown = `${state.kind} ${headSteps(browser)}`;
    if (shown === painted) return;
    painted = shown;
    for (const { canvas, row, head } of cells) {
      const { values, low, high } = headValues(browser, maps, row, head);
      paintValues(canvas, values, heads.size, low, high);
    }
  };
}

function isShown({ head }, row, column) {
  return Boolean(head) && head[0] === row && head[1] === column;
}

// The steps of the maps of heads that are shown: tokens, or a phrase, or the last one, which is the whole answer.
function headSteps(browser) {
  const { heads, phrases } = browser.answer;
  if (heads.steps === "tokens") return browser.shownTokens();
  const place = phrases.findIndex(({ number }) => number === browser.state.phrase);
  const last = heads.kinds.attention.bytes.length / (heads.count * heads.layers.length * heads.size[0] * heads.size[1]) - 1;
  return [place >= 0 && place < last ? place : last];
}

function headValues(browser, maps, row, head) {
  const { heads } = browser.answer;
  const [low, high] = [maps.low[row][head], maps.high[row][head]];
  const stride = heads.layers.length * heads.count;
  const set = { min: low, max: high, bytes: maps.bytes };
  const values = meanOf(headSteps(browser).map((step) => valuesOf(set, heads.size, step * stride + row * heads.count + head)));
  return { values, low, high };
}

function shownHead(browser) {
  const { answer: { heads }, state: { head: [row, head], kind } } = browser;
  const by = `layer ${heads.layers[row]}, head ${head}, ${HEAD_VALUES[kind]}`;
  return { ...headValues(browser, heads.kinds[kind], row, head), size: heads.size, by };
}

function moveInGrid(event, cells, count, browser) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -count, ArrowDown: count };
  const place = cells.findIndex(({ cell }) => cell === event.target);
  if (event.key === "Escape") browser.go({ head: null });
  if (!(event.key in steps) || place < 0) return;
  event.preventDefault();
  const next = cells[place + steps[event.key]];
  if (!next) return;
  for (const { cell } of cells) cell.tabIndex = cell === next.cell ? 0 : -1;
  next.cell.focus();
  if (browser.state.head) browser.go({ head: [next.row, next.head] });
}

for (const section of document.querySelectorAll(".browser")) {
  new Browser(section, page.answers[Number(section.dataset.answer)]).open();
}
