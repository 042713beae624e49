"use strict";
// Sorts and filters the rows that the page has. All texts come from the page's own elements and stay text.
(() => {
  const form = document.querySelector(".filters");
  const chosen = [...form.querySelectorAll("select[data-filter-by]")];
  const search = form.querySelector("input"), order = form.querySelector("select.order");
  const rows = [...document.querySelectorAll(".board tbody tr")];
  const settings = new Map(rows.map((row) => [row, row.dataset.values.split(" ")]));
  const ranked = new Map(rows.map((row, index) => [row, index]));
  let descending = true;

  const headOf = (table, key) => [...table.tHead.rows[0].cells].find((cell) => cell.dataset.key === key);
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim().toLowerCase() : cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
  };
  const compare = (one, other) => {
    if (one === null || other === null) return (one === null) - (other === null); // without a value last, in both orders
    const before = typeof one === "string" ? one.localeCompare(other) : one - other;
    return descending ? -before : before;
  };

  function sort() {
    for (const table of document.querySelectorAll(".board")) {
      const head = order.value && headOf(table, order.value), body = table.tBodies[0];
      for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
      const column = head ? head.cellIndex : -1;
      if (head) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const members = [...body.rows].sort((one, other) =>
        (head ? compare(valueOf(one, column), valueOf(other, column)) : 0) || ranked.get(one) - ranked.get(other));
      body.append(...members);
    }
  }

  function filter() {
    const words = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const matches = chosen.every((select, index) => !select.value || settings.get(row)[index] === select.value);
      row.hidden = !(matches && row.querySelector(".name").textContent.toLowerCase().includes(words));
      shown += !row.hidden;
    }
    for (const part of [...document.querySelectorAll(".section, .benchmark")]) {
      part.hidden = ![...part.querySelectorAll("tbody tr")].some((row) => !row.hidden);
    }
    form.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
  }

  function remember() {
    const state = new URLSearchParams();
    for (const select of chosen) if (select.value) state.set(select.dataset.filterBy, select.selectedOptions[0].textContent);
    if (search.value) state.set("search", search.value);
    if (order.value) state.set("sort", (descending ? "-" : "") + order.value);
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname.endsWith("/") ? "./" : "#");
  }

  function restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const select of chosen) {
      const option = [...select.options].find((each) => each.textContent === state.get(select.dataset.filterBy));
      select.value = option ? option.value : "";
    }
    search.value = state.get("search") || "";
    const key = state.get("sort") || "";
    descending = key.startsWith("-") || !key;
    order.value = [...order.options].some((each) => each.value === key.replace(/^-/, "")) ? key.replace(/^-/, "") : "";
    sort();
    filter();
  }

  function sortBy(key) {
    const head = document.querySelector(`.board th[data-key="${key}"]`);
    const first = Boolean(head) && head.dataset.better !== "lower" && key !== "model";
    descending = order.value === key && key ? !descending : first;
    order.value = key;
    sort();
    remember();
  }

  for (const cell of document.querySelectorAll(".board th[data-key]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => sortBy(cell.dataset.key));
    cell.replaceChildren(button);
  }
  order.addEventListener("change", () => { const key = order.value; order.value = ""; sortBy(key); });
  for (const field of [...chosen, search]) field.addEventListener("input", () => { filter(); remember(); });
  form.querySelector("button").addEventListener("click", () => { history.replaceState(null, "", "#"); restore(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", restore);
  form.hidden = false;
  restore();
})();
