from pipeline.config.errors import suggest


def test_the_nearest_word_is_suggested_and_all_are_listed():
    assert suggest("swich", ["relu", "swish", "swish_beta"]) == "did you mean 'swish'? Known: relu, swish, swish_beta."
    assert suggest("banana", ["relu", "swish"]) == "Known: relu, swish."
