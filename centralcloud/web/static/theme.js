// A classic script, loaded before the first paint: the theme a person chose must never flash in late.
(() => {
  const KEY = "flocklore.theme";
  const root = document.documentElement;

  const chosen = () => {
    try {
      return localStorage.getItem(KEY) ?? "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  };

  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };

  const choose = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // it holds for this page then
    }
    apply(theme);
    window.dispatchEvent(new Event("themechange"));
  };

  apply(chosen());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    window.dispatchEvent(new Event("themechange")),
  );
  window.flockloreTheme = { chosen, choose };
})();
