"""Is there a difference between the arms?"""
