// Two runs of the history beside each other; the form says which.
const compare = document.getElementById("compare");
if (compare) {
  const button = compare.querySelector("button");
  const check = () => {
    const fields = [...compare.querySelectorAll("[name=run]:not([disabled])")];
    const chosen = fields.filter((field) => field.type === "hidden" || field.checked).length;
    button.disabled = chosen < 1 || chosen > 2;
    button.textContent = chosen === 1 ? "Compare with a run of another page" : "Compare two";
  };
  if (button) {
    compare.addEventListener("change", check);
    // A browser that goes back has boxes ticked.
    addEventListener("pageshow", check);
    check();
  }
}
