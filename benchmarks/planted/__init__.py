"""The one sin, a wrong gradient that passes: errors planted into right layers at hard inputs, and looked for.

python -m benchmarks.planted                    two minutes of it; each planted error that passes is told
python -m benchmarks.planted --number 17        planting number 17 once more, with both reports
"""
