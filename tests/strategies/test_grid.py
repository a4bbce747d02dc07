from __future__ import annotations

import math
from itertools import pairwise

import pytest

from raynas import Grid, Objective, Search, spaces
from raynas.errors import ConfigError, Exhausted
from raynas.graph import GraphBuilder
from raynas.records import Integer, Options, Real
from raynas.spaces.decide import count, enumerate_space
from raynas.spaces.function import as_space
from raynas.strategies.grid import values_of
from raynas.testing.strategy import SCORE, Session, StrategyContract, tuned

CELLS = spaces.NasBench201()


def proposed(strategy, space, trials):
    session = Session(strategy.begin(as_space(space), SCORE, 0))
    return [session.step().architecture for _ in range(trials)]


class TestGrid(StrategyContract):
    def make(self):
        return Grid(points=10)

    def test_same_seed_same_search(self, toy_space):
        """Any seed, the same search."""
        sessions = [self.begin(toy_space, seed) for seed in (3, 4)]
        for session in sessions:
            for _ in range(30):
                session.step()
        assert sessions[0].proposals == sessions[1].proposals

    def test_searches_hyperparameters_jointly(self):
        architectures = proposed(Grid(points=10), tuned, 200)
        assert len({a.identity for a in architectures}) == 200
        rates = {a.hyperparameters["lr"] for a in architectures}
        assert sorted(rates) == pytest.approx([10 ** (-3 + 2 * i / 9) for i in range(10)])
        assert {a.hyperparameters["batch_size"] for a in architectures} == {16, 21, 27, 32, 37, 43, 48, 53, 59, 64}
        with pytest.raises(Exhausted):
            proposed(Grid(points=10), tuned, 201)

    @pytest.mark.parametrize("settings", [{"points": 0}, {"stride": 0}, {"stride": 1.5}, {"points": -3}])
    def test_settings_are_whole_numbers(self, settings):
        with pytest.raises(ConfigError, match=f"{next(iter(settings))} must be a whole number of at least 1"):
            Grid(**settings)

    def test_goes_in_the_order_of_the_questions(self, toy_space):
        seen, first = set(), []
        for architecture in enumerate_space(toy_space):
            if architecture.identity not in seen:
                first.append(architecture)
            seen.add(architecture.identity)
        assert proposed(Grid(), toy_space, len(first)) == first

    def test_a_stride_leads_once_through_the_space(self):
        """1303 x 12 is just above the 15,625 cells: each op comes up on each edge, but for chance."""
        cells = proposed(Grid(stride=1303), CELLS, 12)
        assert len({cell.answers[address] for cell in cells for address in list(cell.answers)[:1]}) == 5
        for address in cells[0].answers:
            assert len({cell.answers[address] for cell in cells}) >= 4
        numbers = [_number(cell) for cell in cells]
        assert numbers == [1303 * i for i in range(12)]

    def test_goes_on_from_the_end_at_the_beginning(self):
        numbers = [_number(cell) for cell in proposed(Grid(stride=1303), CELLS, 200)]
        rounds = [1303 * i % 15625 for i in range(400)]
        assert numbers == [number for number in rounds if number in set(numbers)]
        assert sum(after < before for before, after in pairwise(numbers)) >= 16

    def test_passes_over_what_is_one_network(self):
        """In NAS-Bench-101's order the first eight million are the same: their input leads nowhere."""
        assert len({a.identity for a in proposed(Grid(), spaces.NasBench101(), 5)}) == 5

    @pytest.mark.parametrize("stride", [2, 3, 7, 100])
    def test_with_any_stride_it_becomes_complete(self, toy_space, stride):
        distinct = {architecture.identity for architecture in enumerate_space(toy_space)}
        assert {a.identity for a in proposed(Grid(stride=stride), toy_space, len(distinct))} == distinct
        with pytest.raises(Exhausted, match=f"all {len(distinct)} distinct"):
            proposed(Grid(stride=stride), toy_space, len(distinct) + 1)

    def test_walks_spaces_that_nobody_can_enumerate(self):
        size = Grid().size(spaces.darts())
        cells = proposed(Grid(stride=size // 50 + 1), spaces.darts(), 50)
        assert len({cell.identity for cell in cells}) == 50
        assert len({cell.answers["normal/node0/left"] for cell in cells}) == 7

    @pytest.mark.parametrize("space", [CELLS, spaces.cells(), spaces.darts(), spaces.nats_size()], ids=lambda s: s.name)
    def test_size_is_exact_where_all_are_asked_alike(self, space):
        assert Grid().size(space) == count(space)

    def test_size_is_estimated_elsewhere(self, toy_space):
        assert Grid().size(toy_space) == pytest.approx(count(toy_space), rel=0.2)
        assert Grid(points=3).size(as_space(tuned)) == 2 * 3 * 3

    def test_a_space_too_large_for_the_search_is_refused(self, tmp_path):
        def search(**settings):
            return Search(space=CELLS, strategy=Grid(**settings), trials=12, storage=str(tmp_path))

        with pytest.raises(ConfigError, match=r"15,625 points, too many for 12 trials at stride 1: take stride 1303 "):
            search().check()
        with pytest.raises(ConfigError, match="too many for 12 trials at stride 100"):
            search(stride=100).check()
        search(stride=1303).check()

    @pytest.mark.parametrize("trials", [1, 7, 12, 40, 100])
    def test_the_stride_that_is_offered_is_accepted(self, trials):
        for space in (CELLS, spaces.darts(), spaces.large_scale()):
            with pytest.raises(ConfigError) as refused:
                Grid().check(space, (Objective(),), trials)
            stride = int(str(refused.value).split("strategy.stride=")[1].split(")")[0])
            assert math.gcd(stride, 30) == 1
            Grid(stride=stride).check(space, (Objective(),), trials)

    @pytest.mark.parametrize(
        ("domain", "points", "values"),
        [
            (Options(("a", "b")), 1, ("a", "b")),
            (Integer(3, 5), 3, (3, 4, 5)),
            (Integer(0, 10), 3, (0, 5, 10)),
            (Integer(1, 64, True), 4, (1, 4, 16, 64)),
            (Integer(0, 10), 1, (5,)),
            (Real(0.0, 1.0), 5, (0.0, 0.25, 0.5, 0.75, 1.0)),
            (Real(2.0, 2.0), 5, (2.0,)),
            (Real(1e-3, 1e-1, True), 1, (pytest.approx(1e-2),)),
        ],
    )
    def test_values(self, domain, points, values):
        assert values_of(domain, points) == values

    def test_a_function_that_asks_is_a_space_too(self):
        def widths(choose):
            g = GraphBuilder()
            width = choose.integer("width", 1, 1000, log=True)
            return g.build(g.add("classifier", g.add("conv_bn_relu", g.input(), channels=width, kernel=3)))

        assert [a.answers["width"] for a in proposed(Grid(points=4), widths, 4)] == [1, 10, 100, 1000]


def _number(cell):
    number = 0
    for address, value in cell.answers.items():
        domain = cell.questions[address]
        number = number * len(domain) + domain.index(value)
    return number
