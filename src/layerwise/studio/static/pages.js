// The views of the page: which one is shown stands in the address, so each is a link.

import { $, h } from "./dom.js";

export const PAGES = {
  playground: "Playground",
  compare: "Compare",
  many: "Many",
  lessons: "Lessons",
  runs: "Runs",
};

export function setup(app) {
  const links = Object.entries(PAGES).map(([page, words], i) => {
    const link = h("a", { href: `#page=${page}`, "data-page": page, title: `${words} (${i + 1})` }, words);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      app.view({ page });
    });
    return link;
  });
  const menu = h(
    "select",
    { "aria-label": "View", class: "page-menu" },
    ...Object.entries(PAGES).map(([page, words]) => h("option", { value: page }, words)),
  );
  menu.addEventListener("change", () => app.view({ page: menu.value }));
  $("pages").append(...links, h("span", { class: "menu" }, menu));
}

export function scene(app) {
  const { page } = app.state.view;
  document.documentElement.dataset.page = page;
  for (const link of $("pages").querySelectorAll("a")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  $("pages").querySelector("select").value = page;
}

export function paint() {}
