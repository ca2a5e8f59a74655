"""What a check costs beside other checkers, in evaluations, time and memory, and what it catches for that.

python -m benchmarks                 everything side by side, and the tables and plots of docs/benchmarks.md
python -m benchmarks.speed.bars      each figure of the project's bars beside its bar
"""
