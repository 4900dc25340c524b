"""What reps see of an account in the browser: facts as frozen values, and the sentences they become.

facts.py      one account, all that its page tells      timeline.py   what happened, in order, and who did it
points.py     what makes up the score, to the last tenth
proofs.py     what a sentence of a brief rests on
"""
