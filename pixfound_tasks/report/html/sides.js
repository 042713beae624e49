// The tables of models side by side: one measure, and one pair of models, at a time.

function showOnly(nodes, isShown) {
  for (const node of nodes) node.hidden = !isShown(node);
}

for (const panel of document.querySelectorAll(".heats")) {
  const buttons = [...panel.querySelectorAll("[data-measure]")];
  for (const pressed of buttons) {
    pressed.addEventListener("click", () => {
      for (const each of buttons) each.setAttribute("aria-pressed", String(each === pressed));
      showOnly(panel.querySelectorAll("[data-heat]"), (table) => table.dataset.heat === pressed.dataset.measure);
    });
  }
}

for (const panel of document.querySelectorAll(".differences")) {
  const pairs = panel.querySelector("select");
  const show = () => showOnly(panel.querySelectorAll("[data-pair]"), (table) => table.dataset.pair === pairs.value);
  if (pairs) pairs.addEventListener("change", show);
  if (pairs) show(); // browsers keep the choice when a page is loaded again
}
