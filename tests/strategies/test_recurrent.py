from __future__ import annotations

import math
from random import Random

import pytest

torch = pytest.importorskip("torch")

from raynas import Controller, spaces  # noqa: E402
from raynas.records import Options  # noqa: E402
from raynas.spaces.function import as_space  # noqa: E402
from raynas.strategies.policy import Decision, Experience  # noqa: E402
from raynas.strategies.recurrent import Learning, RecurrentPolicy, Walk, one_thread  # noqa: E402
from raynas.testing.strategy import SCORE, toy  # noqa: E402

OPS = Options(("a", "b", "c"))
SPACES = [spaces.nasbench201(), spaces.skip_chain(), spaces.large_scale(), as_space(toy)]
FEEDS = Options((False, True))
BOTH = [Decision("layer0/op", OPS, 1), Decision("layer1/op", OPS, 2), Decision("layer1/from0", FEEDS, 1)]


def policy(clip=0.0, epochs=1, rate=0.01, entropy=0.0, layers=1):
    return RecurrentPolicy(12, layers, Learning(rate, entropy, clip, epochs), 0, spread=0.3)


def probability(found, decisions=BOTH):
    with torch.no_grad():
        return float(found.evaluate([decisions])[0].exp())


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_what_is_drawn_has_the_probability_that_learning_sees(space, layers):
    """One question at a time without gradients, and all at once with them."""
    proposer = Controller(layers=layers).begin(space, SCORE, 0)
    for _ in range(5):
        proposal = proposer.ask()
        (told,) = proposer._open[proposal.architecture.identity]
        with torch.no_grad():
            log_probability, entropy = proposer.policy.evaluate([told.decisions])
        assert float(log_probability) == pytest.approx(told.log_probability, rel=1e-9)
        assert (
            0 < float(entropy) <= sum(math.log(len(d.domain)) for d in told.decisions if type(d.domain) is Options) + 99
        )


def test_a_batch_is_evaluated_as_one_by_one():
    found = policy(layers=2)
    rng = Random(0)
    made = [[d._replace(choice=rng.randrange(len(d.domain))) for d in BOTH] for _ in range(7)]
    together, entropies = found.evaluate(made)
    apart = [found.evaluate([one]) for one in made]
    torch.testing.assert_close(together, torch.cat([log for log, _ in apart]))
    torch.testing.assert_close(entropies, torch.cat([entropy for _, entropy in apart]))


def test_all_answers_together_are_certain():
    found = policy()
    every = [
        [BOTH[0]._replace(choice=a), BOTH[1]._replace(choice=b), BOTH[2]._replace(choice=c)]
        for a in range(3) for b in range(3) for c in range(2)
    ]  # fmt: skip
    assert float(found.evaluate(every)[0].detach().exp().sum()) == pytest.approx(1)


@pytest.mark.parametrize(("clip", "epochs"), [(0.0, 1), (0.2, 4)])
def test_a_good_choice_becomes_more_likely_and_a_bad_one_less(clip, epochs):
    for advantage in (1.0, -1.0):
        found = policy(clip, epochs)
        before = probability(found)
        found.learn([Experience(BOTH, math.log(before), advantage)])
        assert (probability(found) - before) * advantage > 0


def test_ppo_stops_where_the_ratio_is_clipped():
    """Many steps move a probability by about the clip, and as far as Adam still rolls; without it they move it far."""
    ratios = {}
    for clip in (0.2, 1e6):
        found = policy(clip, epochs=300, rate=0.001)
        before = probability(found)
        found.learn([Experience(BOTH, math.log(before), 1.0)])
        ratios[clip] = probability(found) / before
    assert 1.2 <= ratios[0.2] < 2
    assert ratios[1e6] > 5


def test_the_gradient_of_reinforce_is_weighted_by_the_ratio():
    """The first moment of Adam shows the gradient."""
    moments = []
    for factor in (1.0, 2.0, 0.01, None):
        found = policy()
        now = probability(found)
        found.learn([Experience(BOTH, factor and math.log(now * factor), 1.0)])
        moments.append(found._moments["anchor"][0])
    now, late, rare, unknown = moments
    torch.testing.assert_close(late, now / 2)
    torch.testing.assert_close(rare, now * 2)
    torch.testing.assert_close(unknown, now)


def test_experiences_of_other_lengths_share_a_batch():
    found = policy()
    short = Experience(BOTH[:1], None, 1.0)
    one, two = probability(found), probability(found, BOTH[:1])
    found.learn([Experience(BOTH, None, 1.0), short, Experience([], None, 1.0)])
    assert probability(found) > one
    assert probability(found, BOTH[:1]) > two
    steps = found.steps
    found.learn([Experience([], None, 1.0)])
    assert found.steps == steps


def test_entropy_keeps_it_open():
    sure, open_minded = policy(), policy(entropy=1.0)
    for found in (sure, open_minded):
        for _ in range(200):
            found.learn([Experience(BOTH[:1], None, 0.5)])
    assert probability(sure, BOTH[:1]) > 0.95
    assert probability(open_minded, BOTH[:1]) < 0.7


class TestAnchors:
    def test_the_probability_is_the_sigmoid_of_both_states(self):
        """P = sigmoid(v tanh(W_previous h_0 + W_current h_1) + bias), by hand from the states of the walk."""
        found = policy()
        walk = Walk(found, 1)
        for decision in BOTH[:2]:
            walk.logits(decision.address, decision.domain)
            walk.take(torch.tensor([decision.choice]))
        logits = walk.logits("layer1/from0", FEEDS)[0]
        weights, states = found._weights, walk._parts
        mixed = torch.tanh(states["layer0"] @ weights["anchor previous"] + states["layer1"] @ weights["anchor current"])
        expected = torch.sigmoid(mixed @ weights["anchor"] + weights["bias layer1/from0"])
        torch.testing.assert_close(torch.softmax(logits, 0)[1:], expected)

    def test_all_anchors_of_a_layer_are_asked_of_one_state(self):
        walk = Walk(policy(), 1)
        for layer in range(3):
            walk.logits(f"layer{layer}/op", OPS)
            walk.take(torch.tensor([0]))
        walk.logits("layer2/from0", FEEDS)
        state = walk._parts["layer2"]
        walk.take(torch.tensor([1]))
        walk.logits("layer2/from1", FEEDS)
        assert walk._parts["layer2"] is state

    def test_what_feeds_a_layer_is_the_next_input(self):
        states = []
        for answers in ((0, 0), (1, 0), (1, 1)):
            walk = Walk(policy(), 1)
            for layer in range(3):
                walk.logits(f"layer{layer}/op", OPS)
                walk.take(torch.tensor([0]))
            for earlier, answer in enumerate(answers):
                walk.logits(f"layer2/from{earlier}", FEEDS)
                walk.take(torch.tensor([answer]))
            walk.logits("layer3/op", OPS)
            parts = [walk._parts[f"layer{layer}"] for layer in range(2)]
            fed = [part for part, answer in zip(parts, answers, strict=True) if answer]
            states.append((walk._input_BH, sum(fed) / max(1, len(fed)) if fed else torch.zeros(1, 12)))
        for found, expected in states:
            torch.testing.assert_close(found, expected.to(torch.float64))

    def test_there_is_no_softmax_for_them(self):
        proposer = Controller().begin(spaces.skip_chain(), SCORE, 0)
        while not any(address.endswith("from0") for address in proposer.ask().architecture.answers):
            pass
        names = set(proposer.policy._weights)
        assert {"anchor", "anchor previous", "anchor current", "softmax layer#/filters 4"} <= names
        assert not any("from" in name and not name.startswith("bias") for name in names)

    def test_a_part_that_was_not_there_is_a_plain_question(self):
        found = policy()
        found.evaluate([[Decision("cell/from0", FEEDS, 0), Decision("layer1/from0", FEEDS, 1)]])
        assert {"softmax cell/from# 2", "softmax layer#/from# 2"} <= set(found._weights)


def test_layers_share_their_weights_but_for_the_bias():
    found = policy()
    probability(found)
    names = set(found._weights)
    assert {"softmax layer#/op 3", "embedding layer#/op 3", "bias layer0/op 3", "bias layer1/op 3"} <= names


def test_one_thread_is_put_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
