"""What the kill switch costs and saves, by simulation: ``make guards`` writes docs/guards.md anew.

Nothing here knows a formula of the rules. Each simulation asks campaign/ (``evaluate``, ``judge``,
``in_flight_cap``, ``suspect``) and only throws the dice.
"""
