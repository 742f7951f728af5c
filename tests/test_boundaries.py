"""The walls of the house: who may import whom, what DVC watches for each stage, and one name for each stage."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
LAYERS = {"mintmark": {"tasks", "flows", "prefect", "dvc"}, "tasks": {"flows", "prefect", "dvc"}}
MAX_LINES = 300


def load_yaml(name: str):
    return YAML(typ="safe").load((ROOT / name).read_text(encoding="utf-8"))


STAGES = load_yaml("dvc.yaml")["stages"]


def imported_modules(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function; `from package import name` may name both."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_path(module: str) -> Path | None:
    """The file of one of our modules; None for a package, another's module, or a mere name."""
    path = ROOT / Path(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def import_closure(module: str) -> set[str]:
    """Our modules that running `module` may load, itself included."""
    closure, waiting = set(), [module]
    while waiting:
        current = waiting.pop()
        path = module_path(current)
        if current in closure or path is None:
            continue
        closure.add(current)
        waiting += sorted(imported_modules(path))
    return closure


def code_deps(stage: str) -> set[str]:
    """What DVC must watch of our code for a stage: its module, tasks/params.py, and the rooms of mintmark it imports."""
    deps = set()
    for module in import_closure(f"tasks.{stage}"):
        package, *inner = module.split(".")
        in_room = package == "mintmark" and len(inner) > 1
        deps.add(f"mintmark/{inner[0]}" if in_room else f"{module.replace('.', '/')}.py")
    return deps


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_in_one_direction(layer: str):
    for path in python_files(layer):
        packages = {module.partition(".")[0] for module in imported_modules(path)}
        assert not packages & LAYERS[layer], f"{path} imports {packages & LAYERS[layer]}"


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_library_loads_without_prefect_dvc_tasks_or_flows():
    modules = ", ".join(
        str(path.relative_to(ROOT).with_suffix("")).replace("/", ".") for path in python_files("mintmark")
    ).replace(".__init__", "")
    assert not loaded_by(f"import {modules}") & LAYERS["mintmark"]


def test_the_check_of_loaded_modules_can_fail():
    assert "prefect" in loaded_by("import prefect")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_watches_exactly_the_code_that_it_can_load(stage: str):
    deps = {dep for dep in STAGES[stage]["deps"] if dep.startswith(("mintmark/", "tasks/"))}
    assert deps == code_deps(stage)


def test_rooms_have_bare_init_files_so_that_the_closure_needs_none_of_them():
    for path in (ROOT / "mintmark").rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, f"{path} holds more than its docstring"
        assert isinstance(body[0], ast.Expr)


def test_a_stage_its_module_its_params_and_its_folder_share_one_name():
    modules = {path.stem for path in python_files("tasks")} - {"engine", "params", "processes", "heatmaps", "clusters"}
    assert set(STAGES) == modules == set(load_yaml("params.yaml"))
    for name, stage in STAGES.items():
        assert stage["cmd"] == f"python -m tasks.{name}"
        assert stage["params"] == [name]
        outs = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
        for out in outs:
            path = out if isinstance(out, str) else next(iter(out))
            assert path.startswith(f"data/{name}/"), f"{name} writes {path}"


def test_private_scores_are_never_pushed_and_nothing_is_kept_out_of_the_cache():
    assert {"data/audit/private": {"push": False}} in STAGES["audit"]["outs"]
    for stage in STAGES.values():
        for out in [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]:
            options = {} if isinstance(out, str) else next(iter(out.values()))
            assert options.get("cache", True) is not False
            assert not options.get("persist", False)


def test_dvc_ignores_bytecode_and_unfinished_work():
    lines = (ROOT / ".dvcignore").read_text(encoding="utf-8").splitlines()
    assert {"__pycache__/", ".partial/"} <= set(lines)


def test_git_ignores_data_but_not_the_room_of_that_name():
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "/data/*" in lines
    assert "data/" not in lines


@pytest.mark.parametrize("folder", ["mintmark", "tasks", "flows", "bench"])
def test_files_stay_small(folder: str):
    long = {path.name: n for path in python_files(folder) if (n := len(path.read_text().splitlines())) > MAX_LINES}
    assert not long


def test_files_are_named_after_nouns_of_the_field():
    banned = {"utils", "helpers", "core", "base", "manager", "common", "misc"}
    assert not {path for path in python_files("mintmark") if path.stem in banned or path.parent.name in banned}


def test_the_library_is_two_levels_deep():
    deep = [path for path in python_files("mintmark") if len(path.relative_to(ROOT).parts) > 3]
    assert not deep


def calls_of(path: Path, name: str) -> list[ast.Call]:
    """Every call of a dotted name in a file."""
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return [call for call in calls if ast.unparse(call.func) == name]


def test_no_pickle_is_read_or_written():
    """Others' weights come in PyTorch's own format; its reader, restricted to tensors, may stand in one place."""
    banned = {"dill", "cloudpickle", "joblib.dump", "torch.save", "torch.load"}
    foreign = ROOT / "mintmark" / "fidelity" / "state_dict.py"
    for folder in ("mintmark", "tasks", "flows"):
        for path in python_files(folder):
            assert not (imported_modules(path) & banned), path
            assert not calls_of(path, "torch.save"), path
            assert not calls_of(path, "torch.load") or path == foreign, path
            assert path == foreign or "pickle" not in imported_modules(path), path
    options = [{one.arg: ast.unparse(one.value) for one in call.keywords} for call in calls_of(foreign, "torch.load")]
    assert [one.get("weights_only") for one in options] == ["True"]
    assert not calls_of(foreign, "pickle.load")
    assert not calls_of(foreign, "pickle.loads")
