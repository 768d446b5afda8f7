# SPDX-License-Identifier: Apache-2.0
"""Finds infrastructure tools and their plugins on this machine, and runs them against a cloud of the tests'."""
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACES = ("/opt", "/usr/local/share", "/usr/share", "/usr/local/lib", "~/.terraform.d", "~/.local/share/terraform", "~/.pulumi")
DEPTH = 8  # folders below a place that are looked into


def of_tests():
    """tests/conftest.py, whatever other conftest is on the path."""
    spec = importlib.util.spec_from_file_location("cloudkeep_tests", ROOT / "tests" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


binary, make_cloud = (lambda m: (m.binary, m.make_cloud))(of_tests())


def walk(place, depth=DEPTH):
    """Files below a folder, not deeper than depth; links are not followed."""
    stack = [(pathlib.Path(place).expanduser(), depth)]
    while stack:
        folder, left = stack.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for e in entries:
            if e.is_dir(follow_symlinks=False):
                if left > 0 and e.name not in ("node_modules", ".git", "proc", "sys"):
                    stack.append((pathlib.Path(e.path), left - 1))
            else:
                yield pathlib.Path(e.path)


def find_file(pattern, further=()):
    """The newest file whose name matches pattern, in the usual places; further: folders that the environment names."""
    found = [p for place in (*further, *PLACES) for p in walk(place) if re.fullmatch(pattern, p.name)]
    return max(found, key=lambda p: [int(n) for n in re.findall(r"\d+", p.name)], default=None)


def environment(cloud, **more):
    """What `cloudkeep env` prints, and nothing else of AWS from this process's own environment."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_", "PULUMI_", "SSL_CERT"))}
    env.update(cloudkeep_env(cloud))
    env.update(more)
    return env


def cloudkeep_env(cloud):
    p = subprocess.run([str(binary()), "env", "--json", "--data", str(cloud.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=30)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def status(cloud):
    p = subprocess.run([str(binary()), "status", "--json", "--data", str(cloud.data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True, timeout=30)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


# --- Terraform, OpenTofu ---
class Missing(Exception):
    """A tool is not on this machine; the text says what was looked for."""


class Terraform:
    """One working folder of Terraform or OpenTofu with a copy of a stack, its provider taken from this machine."""

    def __init__(self, stack, folder):
        self.program = shutil.which("terraform") or shutil.which("tofu")
        if not self.program:
            raise Missing("neither terraform nor tofu is on PATH")
        named = [os.environ[k] for k in ("TF_PLUGIN_CACHE_DIR", "TF_PLUGIN_DIR", "TF_PLUGIN_MIRROR") if os.environ.get(k)]
        provider = find_file(r"terraform-provider-aws_v[0-9.]+(_x5)?", named + mirrors_configured())
        if not provider:
            raise Missing("the AWS provider (terraform-provider-aws_v*) is in none of " + ", ".join(named + list(PLACES)))
        self.version = re.search(r"_v([0-9.]+[0-9])", provider.name).group(1)
        self.folder = pathlib.Path(folder) / "stack"
        shutil.copytree(stack, self.folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        self.config = pathlib.Path(folder) / "cli.tfrc"
        self.config.write_text("")
        self.mirror(pathlib.Path(folder), provider)

    def mirror(self, folder, provider):
        """A mirror of our own with the provider under the address that this program gives it."""
        probe = folder / "probe"
        probe.mkdir()
        (probe / "main.tf").write_text('terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n')
        p = subprocess.run([self.program, "providers", "-no-color"], cwd=probe, env=self.base({}), stdout=subprocess.PIPE, text=True, timeout=60)
        address = re.search(r"provider\[([^\]]+)\]", p.stdout).group(1)
        machine = subprocess.run(["uname", "-m"], stdout=subprocess.PIPE, text=True).stdout.strip()
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
        place = folder / "mirror" / address / self.version
        place.mkdir(parents=True)
        (place / ("linux_" + arch)).symlink_to(provider.parent)
        self.config.write_text('disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n'
                               % (folder / "mirror"))

    def base(self, env):
        return {**env, "PATH": os.environ["PATH"], "HOME": str(self.config.parent), "TF_CLI_CONFIG_FILE": str(self.config), "TF_IN_AUTOMATION": "1",
                "CHECKPOINT_DISABLE": "1"}

    def start(self, *args, env, out=subprocess.PIPE):
        return subprocess.Popen([self.program, *args], cwd=self.folder, env=self.base(env), stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def run(self, *args, env, ok=(0,), timeout=400):
        p = self.start(*args, env=env)
        try:
            text, _ = p.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            raise AssertionError("%s did not end: %s" % (args[0], p.communicate()[0][-6000:]))
        assert p.returncode in ok, "terraform %s ended with %d:\n%s" % (" ".join(args), p.returncode, text[-8000:])
        return p.returncode, text

    def addresses(self, env):
        """Resources in the state."""
        return self.run("state", "list", env=env)[1].split()


def mirrors_configured():
    """Folders of mirrors that this machine's own configuration names."""
    out = []
    for p in (os.environ.get("TF_CLI_CONFIG_FILE", ""), "~/.terraformrc", "~/.tofurc"):
        try:
            out += re.findall(r'path\s*=\s*"([^"]+)"', pathlib.Path(p).expanduser().read_text()) if p else []
        except OSError:
            pass
    return out
