"""The index of price rules finds what the plain loop finds, whatever is added and removed."""

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.index import PriceIndex

SYMBOLS, SIDES = st.sampled_from("ABC"), st.sampled_from(["above", "below"])
PRICES = st.integers(1, 30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), SYMBOLS, PRICES, SIDES, st.sampled_from("pqrs")),
        st.tuples(st.just("remove"), SYMBOLS, PRICES, SIDES, st.sampled_from("pqrs")),
        st.tuples(st.just("tick"), SYMBOLS, PRICES),
    ),
    max_size=60,
)


class Loop:
    """Every rule in a list, looked at one by one."""

    def __init__(self):
        self.rules = set()

    def crossed(self, symbol, price):
        found = {
            one for one in self.rules
            if one[0] == symbol and (price >= one[1] if one[2] == "above" else price <= one[1])
        }  # fmt: skip
        self.rules -= found
        return sorted(one[3] for one in found)


@given(STEPS)
def test_the_index_equals_the_plain_loop(steps):
    index, loop = PriceIndex(), Loop()
    for what, *given_ in steps:
        if what == "add":
            index.add(*given_)
            loop.rules.add(tuple(given_))
        elif what == "remove":
            assert index.remove(*given_) is (tuple(given_) in loop.rules)
            loop.rules.discard(tuple(given_))
        else:
            assert sorted(index.crossed(*given_)) == loop.crossed(*given_)
        assert len(index) == len(loop.rules)


@given(STEPS, st.lists(st.tuples(SYMBOLS, PRICES), max_size=40))
def test_many_ticks_at_once_are_the_same_as_one_by_one(steps, ticks):
    both = PriceIndex(), PriceIndex()
    for what, *given_ in steps:
        if what == "add":
            for index in both:
                index.add(*given_)
    one_by_one = [
        (symbol, price, rule) for symbol, price in ticks for rule in both[0].crossed(symbol, price)
    ]
    assert both[1].crossed_all(ticks) == one_by_one
    assert len(both[0]) == len(both[1])


def test_the_nearest_level_is_found_first():
    index = PriceIndex()
    for level, rule in ((205, "far"), (200, "near"), (203, "middle")):
        index.add("AAPL", level, "above", rule)
    assert index.crossed("AAPL", 199) == ()
    assert index.crossed("AAPL", 204) == ("near", "middle")
    assert index.crossed("AAPL", 204) == ()


PRICED = st.integers(1, 10**9).map(lambda number: number / 1000)


@given(
    st.lists(st.tuples(SYMBOLS, PRICED, SIDES, st.sampled_from("pqrs")), max_size=30),
    st.lists(st.tuples(SYMBOLS, PRICED), max_size=30),
)
def test_rules_added_together_are_the_same_as_one_by_one(rules, ticks):
    together, one_by_one = PriceIndex(), PriceIndex()
    together.add_all(rules[:10])
    together.add_all(rules)
    for rule in rules:
        one_by_one.add(*rule)
    assert len(together) == len(one_by_one)
    assert together.crossed_all(ticks) == one_by_one.crossed_all(ticks)
