"""Covering arrays: few rows in which every value of a factor meets every value of every other."""

import itertools


def covering_array(factors):
    """Returns rows, dicts of a value for each factor, in which every pair of values appears.

    Each row begins with a pair that no row has yet. The other factors, the largest first, take the
    value that makes most new pairs with what the row has, and of such the one used least. The same
    factors give the same rows.

    Args:
        factors: dict of name to a list of hashable values, two factors or more.
    """
    order = sorted(factors, key=lambda name: -len(factors[name]))
    missing = dict.fromkeys(all_pairs({name: factors[name] for name in order}))
    rows = []
    while missing:
        row = dict(next(iter(missing)))
        for name in order:
            if name not in row:
                row[name] = _best(name, factors[name], row, missing, rows)
        for pair in itertools.combinations(((name, row[name]) for name in order), 2):
            missing.pop(pair, None)
        rows.append({name: row[name] for name in factors})
    return rows


def all_pairs(factors):
    """Returns every pair of values of two factors, as ((factor, value), (factor, value)).

    Args:
        factors: dict of name to a list of values.
    """
    items = [[(name, value) for value in values] for name, values in factors.items()]
    return [pair for two in itertools.combinations(items, 2) for pair in itertools.product(*two)]


def _best(name, values, row, missing, rows):
    def rank(value):
        new = sum(
            (item, (name, value)) in missing or ((name, value), item) in missing
            for item in row.items()
        )
        return new, -sum(other[name] == value for other in rows)

    return max(values, key=rank)
