"""The package runs no code that comes with data, predictions or checkpoints, and no shell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pixfound_tasks.models.pixfound import PixFound

PACKAGE = Path(__file__).parent.parent / "pixfound_tasks"
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "pty"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
# As they are called: the module's name and the function's.
FUNCTIONS = {
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "yaml.load", "yaml.unsafe_load",
    "yaml.full_load", "runpy.run_path", "runpy.run_module", "importlib.reload", "pandas.read_pickle", "pd.read_pickle",
    "torch.jit.load", "torch.hub.load",
}  # fmt: skip
KEYWORDS = {"trust_remote_code", "allow_pickle"}  # with whatever value but False


def dangers(source: str) -> list[str]:
    """What in a module runs code of others, or could, with its line."""
    return [f"line {node.lineno}: {found}" for node in ast.walk(ast.parse(source)) if (found := danger(node))]


def danger(node: ast.AST) -> str | None:
    if isinstance(node, ast.Import):
        return next((name.name for name in node.names if name.name.split(".")[0] in MODULES), None)
    if isinstance(node, ast.ImportFrom):
        names = {f"{node.module}.{name.name}" for name in node.names}
        if (node.module or "").split(".")[0] in MODULES:
            return node.module
        return next(iter(names & FUNCTIONS), None)
    if not isinstance(node, ast.Call):
        return None
    called = ast.unparse(node.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if called in BUILTINS | FUNCTIONS:
        return called
    if called == "torch.load" and given.get("weights_only") != "True":
        return "torch.load without weights_only=True"
    if given.get("shell", "False") != "False":
        return f"{called} with a shell"
    return next((f"{called} with {name}" for name in KEYWORDS & given.keys() if given[name] != "False"), None)


# It runs a checkpoint's own code only if the user gives trust_remote_code=True, see tests/pixel/test_adapters.py.
ADAPTERS = PACKAGE / "pixel" / "adapters.py"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_runs_code_of_others(path):
    found = dangers(path.read_text(encoding="utf-8"))
    if path == ADAPTERS:
        assert len(found) == 3 and all(each.endswith(".from_pretrained with trust_remote_code") for each in found)
    else:
        assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.memory",
        "eval('1')",
        "exec(text)",
        "os.system(name)",
        "from os import system",
        "subprocess.run(line, shell=True)",
        "subprocess.Popen(line, shell=shell)",
        "yaml.load(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=x)",
    ],
)
def test_what_is_looked_for_is_found(source):
    assert len(dangers(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "re.compile('a')",
        "ast.literal_eval(text)",
        "yaml.safe_load(text)",
        "subprocess.run(line)",
        "torch.load(path, weights_only=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=False)",
    ],
)
def test_what_is_harmless_is_not(source):
    assert dangers(source) == []


def test_the_model_takes_no_argument_that_runs_a_checkpoints_code():
    with pytest.raises(ValueError, match="trust_remote_code"):
        PixFound(pretrained="pixfound/mini", trust_remote_code=True)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_transformers_never_asks_whether_to_run_a_checkpoints_code(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    loads = [call for call in calls if ast.unparse(call.func).endswith(".from_pretrained")]
    if path.is_relative_to(PACKAGE / "mini"):  # the embedded weights
        return
    asking = [call.lineno for call in loads if "trust_remote_code" not in {each.arg for each in call.keywords}]
    assert asking == [], "without trust_remote_code=False, transformers asks on standard input"
