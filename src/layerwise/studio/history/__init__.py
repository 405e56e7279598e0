"""Time travel: the line that training follows, what was changed on the way, and the way back."""
