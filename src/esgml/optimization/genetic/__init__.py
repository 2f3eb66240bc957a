"""Genetic algorithms on arrays: a population is one matrix, a generation a few NumPy calls.

`genes` says what the columns of a plan are, `crossover` and
`mutation` make children from parents, `evolution` runs generations of one objective and `front`
of several (NSGA-II), `dominance` and `hypervolume` compare several objectives, `convergence`
keeps and draws how it went. Nothing here knows what a problem is: it is given a function from a
matrix of solutions to objectives and violations.
"""
