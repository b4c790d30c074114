"""What trials did and saw, as a table in Markdown."""


import subprocess


class Skipped(Exception):
    """This machine does not allow the trial."""


def command(*words):
    """Runs it; whether it worked."""
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


class Trial:
    """One row."""

    def __init__(self, name, long):
        self.name, self.long = name, long
        self.done, self.seen, self.broken = [], [], []
        self.seconds = 0.0
        self.skipped = None

    def did(self, text):
        self.done.append(text)

    def saw(self, text):
        self.seen.append(text)

    def expect(self, holds, otherwise):
        """Notes what is wrong unless it holds; the trial goes on."""
        if not holds:
            self.broken.append(otherwise)

    def rounds(self, usually, often):
        return often if self.long else usually

    def row(self):
        verdict = f"skipped: {self.skipped}" if self.skipped else "; ".join(self.broken) or "as expected"
        cells = [f"`{self.name}`", "; ".join(self.done), "; ".join(self.seen), verdict]
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


HEAD = "| trial | what was done | what was seen | outcome |\n|---|---|---|---|"
