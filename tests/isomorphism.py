"""An independent judge of equal networks: rewriting rules on a networkx graph, then isomorphism.

Slow and plain where raynas/canonical is fast: no hashing, no names, nothing shared with it.
"""

from __future__ import annotations

from collections import Counter

import networkx as nx
from networkx.algorithms.isomorphism import DiGraphMatcher

POOLS = ("max_pool", "avg_pool", "global_pool")


def same_network(one, other):
    """Whether two graphs (without motifs, and without zeros in concatenations) compute the same expression."""
    pair = [as_networkx(graph) for graph in (one, other)]
    labels = [Counter(nx.get_node_attributes(g, "label").values()) for g in pair]
    return labels[0] == labels[1] and DiGraphMatcher(*pair, _label, _roles).is_isomorphic()


def as_networkx(graph):
    """The rewritten graph: labelled nodes, edges with the multiset of positions that they feed."""
    nodes, output = rewritten(graph)
    found = nx.DiGraph()
    found.add_node("result", label="result")
    pending = [("result", "sum", [output])]
    while pending:
        user, op, inputs = pending.pop()
        for position, source in enumerate(inputs):
            op_of, args, below = nodes[source]
            if source not in found:
                found.add_node(source, label=f"{op_of}{args}")
                pending.append((source, op_of, below))
            if not found.has_edge(source, user):
                found.add_edge(source, user, roles=Counter())
            found.edges[source, user]["roles"][0 if op in ("sum", "concat") else position] += 1
    return found


def rewritten(graph):
    """Node -> [op, args, inputs] after the rules, and the output's node."""
    nodes, seen = {}, 0
    for index, (op, inputs, args) in enumerate(graph.nodes):
        nodes[index] = [op, args if op != "input" else seen, list(inputs)]
        seen += op == "input"
    output = graph.output
    while True:
        old, new = next(simplifications(nodes), (None, None))
        if old is None:
            return nodes, output
        for node in nodes.values():
            node[2] = [new if i == old else i for i in node[2]]
        output = new if output == old else output
        if old != new:
            del nodes[old]


def simplifications(nodes):
    """Yields `(old, new)`: node `old` is node `new`; equal where a node was changed in place."""
    for index, node in nodes.items():
        op, args, inputs = node
        if op == "identity" or (op == "sum" and len(inputs) == 1):
            yield index, inputs[0]
        zeros = [i for i in inputs if nodes[i][0] == "zero" and not nodes[i][2]]
        if (op == "zero" and inputs) or (inputs and len(zeros) == len(inputs)):
            node[:] = ["zero", (), []]
            yield index, index
        if op == "sum" and zeros:
            node[2] = [i for i in inputs if i not in zeros]
            yield index, index
        nested = [i for i in inputs if nodes[i][0] == "sum"]
        if op == "sum" and nested:
            node[2] = [i for i in inputs if i not in nested] + [j for i in nested for j in nodes[i][2]]
            yield index, index
        if op in (*POOLS, "sum", "zero"):
            for other, twin in nodes.items():
                if other < index and twin[:2] == [op, args] and sorted(twin[2]) == sorted(inputs):
                    yield index, other


def _label(one, other):
    return one["label"] == other["label"]


def _roles(one, other):
    return one["roles"] == other["roles"]
