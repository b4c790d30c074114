// Runs of the history beside each other; the form says which.
const compare = document.getElementById("compare");
if (compare) {
  const button = compare.querySelector("button");
  const most = Number(compare.dataset.most);
  const label = (chosen) => {
    if (chosen === 1) return "Compare with a run of another page";
    if (chosen > most) return `Choose ${most} at most`;
    if (chosen > 2) return `Compare the latest with the ${chosen - 1} others`;
    return "Compare two";
  };
  const check = () => {
    const fields = [...compare.querySelectorAll("[name=run]:not([disabled])")];
    const chosen = fields.filter((field) => field.type === "hidden" || field.checked).length;
    button.disabled = chosen < 1 || chosen > most;
    button.textContent = label(chosen);
  };
  if (button) {
    compare.addEventListener("change", check);
    // Those that were ticked may be gone.
    live.addEventListener("shown", check);
    // A browser that goes back has boxes ticked.
    addEventListener("pageshow", check);
    check();
  }
}
