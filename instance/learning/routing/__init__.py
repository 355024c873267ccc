"""Which models to try on a task, and in which order, from what jobs cost and whether they worked.

`ledger` holds discounted sums, `evidence` turns them into what is known of each model for one task, `plans` foretells
every order of models with a verifier between, `choice` chooses, and `offpolicy` tells what would have been saved.
"""
