"""What DVC says of the stages in this folder: their graph, an order, and which need nothing.

dvc.yaml is the only graph; nothing here states an order of its own. Knows nothing of Prefect.
"""

import networkx as nx
from botocore.exceptions import BotoCoreError
from dvc.exceptions import DvcException
from dvc.repo import Repo


def stage_graph() -> nx.DiGraph:
    """The stages of the dvc.yaml in this folder, an edge from each stage to every stage that needs it."""
    with Repo() as repo:
        graph = nx.DiGraph()
        graph.add_nodes_from(stage.addressing for stage in repo.index.graph)
        graph.add_edges_from((needed.addressing, stage.addressing) for stage, needed in repo.index.graph.edges)
    return graph


def wanted_order(graph: nx.DiGraph, targets: list[str]) -> list[str]:
    """The targets and all that they need, in an order that respects the graph; every stage where there is no target.

    Raises:
        ValueError: a target is not a stage.
    """
    unknown = sorted(set(targets) - set(graph))
    if unknown:
        raise ValueError(f"stages must be among {list(nx.lexicographical_topological_sort(graph))}, got {unknown}")
    wanted = set(graph) if not targets else set(targets).union(*(nx.ancestors(graph, target) for target in targets))
    return list(nx.lexicographical_topological_sort(graph.subgraph(wanted)))


def up_to_date(graph: nx.DiGraph) -> set[str]:
    """The stages that a run would skip: DVC finds neither them nor any stage before them changed.

    One question for all stages, where a `dvc repro` each would open and hash the same project once a stage. Where DVC
    cannot say (another command holds the project, a file cannot be read, the source's service does not answer), the
    answer is none: each stage is then asked for on its own, and its log says what is wrong.
    """
    try:
        with Repo() as repo:
            changed = set(repo.status())
    except (DvcException, OSError, BotoCoreError):  # DVC lets pass what S3's library raises
        return set()
    stale = changed.union(*(nx.descendants(graph, stage) for stage in changed & set(graph)))
    return set(graph) - stale
