"""The statistics of the kill switch, from counts alone.

``against_target`` is an e-process: the mean of two likelihood ratios, at the limit and at its square root,
against the accepted rate. In a fleet no worse than accepted its expectation never exceeds 1, whatever the
order of looks and stops, so it reaches 100 in fewer than 1 of 100 campaigns (Ville's inequality; Howard et
al., "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021). A vehicle that has not reported
counts as good there, which can only lower it; it counts as failed in ``below_limit``, the mirror image.
"""

from math import exp, lgamma, log, log1p, sqrt

#: Beyond this a float has no room; nobody reads more digits.
_MOST = 700.0


def against_target(started: int, failed: int, accept: float, limit: float) -> float:
    """How many times likelier the counts are in a fleet at the limit or worse than in one at ``accept``.

    Args:
        started: vehicles that began, with or without an outcome.
        failed: the bad among them.
    """
    one, other = (_log_ratio(started, failed, rate, accept) for rate in (limit, sqrt(limit)))
    top = max(one, other)
    return exp(min(top + log((exp(one - top) + exp(other - top)) / 2), _MOST))


def below_limit(started: int, bad: int, accept: float, limit: float) -> float:
    """How many times likelier the counts are in a fleet at ``accept`` than in one at the limit.

    Args:
        started: vehicles that began.
        bad: those that failed or have not reported.
    """
    return exp(max(min(-_log_ratio(started, bad, limit, accept), _MOST), -_MOST))


def _log_ratio(n: int, k: int, rate: float, against: float) -> float:
    return k * log(rate / against) + (n - k) * (log1p(-rate) - log1p(-against))


def trip_count(started: int, bar: float, accept: float, limit: float) -> int:
    """The fewest failures among ``started`` whose evidence reaches ``bar``; ``started + 1``: none does.

    The mean of two ratios is at most the larger one and at least half of it. So where that reaches ``bar``
    and where it reaches twice as much are bounds, a failure or two apart; one more for rounding.
    """
    none = started + 1
    low = min(max(0, int(_reached(started, bar, accept, limit)) - 1), none)
    high = min(int(_reached(started, 2 * bar, accept, limit)) + 2, none)
    while low < high:
        middle = (low + high) // 2
        if against_target(started, middle, accept, limit) >= bar:
            high = middle
        else:
            low = middle + 1
    return low


def _reached(n: int, ratio: float, accept: float, limit: float) -> float:
    """The failures among ``n`` with which the larger of the likelihood ratios is so large."""
    return min(
        (log(ratio) - _log_ratio(n, 0, rate, accept))
        / (_log_ratio(1, 1, rate, accept) - _log_ratio(1, 0, rate, accept))
        for rate in (limit, sqrt(limit))
    )


def wilson_upper(n: int, k: int, z: float = 1.96) -> float:
    """Wilson's upper bound of a rate, 0 to 1; ``z`` 1.96 leaves 2.5 % above it."""
    if n == 0:
        return 1.0
    share, square = k / n, z * z
    centre = share + square / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + square / (4 * n * n))
    return min(1.0, (centre + spread) / (1 + square / n))


def exact_upper(n: int, k: int, confidence: float = 0.95) -> float:
    """The one-sided bound of Clopper and Pearson: the rate at which ``k`` or fewer of ``n`` are rare."""
    if k >= n:
        return 1.0
    low, high = k / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(n, k, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(n: int, k: int, rate: float) -> float:
    """P(X <= k) of a binomial, summed downwards from k until the terms say nothing."""
    term = exp(max(_log_choose(n, k) + k * log(rate) + (n - k) * log1p(-rate), -_MOST)) if 0 < rate < 1 else 0
    total, odds = 0.0, (1 - rate) / rate
    while k >= 0 and term > 0:
        total += term
        term *= k / (n - k + 1) * odds
        k -= 1
        if term < total * 1e-12:
            break
    return total


def log_chance_of_share(group: int, failed: int, of: int, of_failed: int) -> float:
    """The logarithm of the chance that ``failed`` or more of ``of_failed`` failures fall on ``group`` of
    ``of`` vehicles by luck (hypergeometric). The chance itself is often too small for a float."""
    most = min(group, of_failed)
    base = _log_choose(of, of_failed)
    terms = [
        _log_choose(group, k) + _log_choose(of - group, of_failed - k) - base
        for k in range(max(failed, of_failed - (of - group), 0), most + 1)
    ]
    top = max(terms)
    return min(0.0, top + log(sum(exp(max(term - top, -_MOST)) for term in terms)))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
