"""Where ``make prove`` writes its figures, and what it leaves alone."""

from __future__ import annotations

from tests.prove import BEGIN, END, main, with_figures

PAGE = f"before\n{BEGIN}\n`make prove` has not been run in full yet.\n{END}\nafter\n"


def test_a_part_that_did_not_run_keeps_its_figures() -> None:
    page = with_figures(PAGE, [("stopped 3 times", "3 passed", 9.4), ("races, 10 of each", "160 passed", 7)], "day 1")
    page = with_figures(page, [("stopped 20 times", "20 passed", 61.0)], "day 2")
    rows = [line for line in page.splitlines() if line.startswith("| ") and " s | " in line]
    assert rows == [
        "| stopped 20 times | 20 passed | 61 s | day 2 |",
        "| races, 10 of each | 160 passed | 7 s | day 1 |",
    ]
    assert page.startswith("before\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "not been run" not in page


def test_the_same_figures_give_the_same_page() -> None:
    figures = [("schedules, memory", "100,000 with 1 blows", 1.0)]
    page = with_figures(PAGE, figures, "day 1")
    assert with_figures(page, figures, "day 1") == page


def test_an_unknown_part_is_refused() -> None:
    assert main(["kils"]) == 2
