// What the page can do besides without a script: text filter, sorting in both directions, keys, opening a linked check.
(() => {
  const $ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const body = document.querySelector(".body"), rows = $(".row", body);
  const headings = $(".head [role=columnheader]"), radios = $("input[name=sort]");
  const search = document.getElementById("search"), found = document.getElementById("found");
  const checks = $("details.check");
  document.documentElement.classList.add("with-script");

  // The rows come in the order of their verdicts; what takes time is read off them when it is first asked for.
  let sorted = "verdict", descending = false, text = null;

  function sort(key, backwards) {
    if (key !== sorted || backwards !== descending) {
      const place = new Map(rows.map((row) => [row, +row.style.getPropertyValue("--" + key)]));
      body.append(...[...rows].sort((a, b) => (place.get(a) - place.get(b)) * (backwards ? -1 : 1)));
      [sorted, descending] = [key, backwards];
    }
    body.classList.add("sorted");
    for (const h of headings) {
      if (h.className === key) h.setAttribute("aria-sort", backwards ? "descending" : "ascending");
      else h.removeAttribute("aria-sort");
    }
    const radio = document.getElementById("sort-" + key);
    if (radio) radio.checked = true;
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    text ??= rows.map((row) => row.textContent.toLowerCase());
    let shown = 0;
    rows.forEach((row, i) => {
      const fits = words.every((word) => text[i].includes(word));
      row.classList.toggle("unfound", !fits);
      shown += fits;
    });
    found.textContent = words.length ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} checks` : "";
  }

  function reveal() {
    const target = document.getElementById(location.hash.slice(1)), check = target && target.closest("details.check");
    if (!check) return;
    check.open = true;
    check.scrollIntoView();
    target.focus({ preventScroll: true });
  }

  function step(by) {
    const there = checks.filter((check) => check.offsetParent !== null);
    const at = there.findIndex((check) => check.contains(document.activeElement));
    const next = there[Math.max(0, Math.min(there.length - 1, at < 0 ? 0 : at + by))];
    if (!next) return;
    next.open = true;
    next.querySelector("summary").focus();
    next.scrollIntoView();
  }

  const keys = {
    "/": () => search.focus(),
    j: () => step(1),
    k: () => step(-1),
    t: () => {
      const themes = $("input[name=theme]"), at = themes.findIndex((theme) => theme.checked);
      themes[(at + 1) % themes.length].checked = true;
    },
  };

  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => sort(heading.className, sorted === heading.className && !descending));
  }
  for (const radio of radios) radio.addEventListener("change", () => sort(radio.id.slice(5), false));
  search.addEventListener("input", filter);
  window.addEventListener("hashchange", reveal);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input[type=search]");
    if (typing && event.key === "Escape") { search.value = ""; filter(); search.blur(); }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  sort(radios.find((radio) => radio.checked)?.id.slice(5) ?? "verdict", false);
  reveal();
})();
