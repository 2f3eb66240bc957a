"""Deep Q-learning: CartPole beside stable-baselines3, and batteries on real house-weeks.

``python benchmarks/bench_dqn.py [--seeds 5] [--cartpole-seeds 5] [--peer-seeds 5] [--save]``

CartPole-v1 counts as solved when the mean return of the last 100 training episodes is 475; both
libraries are stopped by that same test. stable-baselines3 runs with the hyperparameters its own
zoo publishes for this task.

The batteries are those of ``bench_dispatch``: 20 house-weeks (houses 1-5, the second full week of
October, January, April and July). The agent learns 30,000 steps on houses 1-5 in weeks that do not
touch those, then acts by what a controller knows in the hour. "Share" is that of the gain which
perfect foresight has over the idle battery. Beside it: the same without learning from actions not
taken (plain DQN), the rule `fill_late`, and the policy guarded by that rule. The design was
chosen on other weeks.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import gymnasium
import numpy as np
from numpy.typing import NDArray

from esgml.optimization.battery_policy import (
    SETTINGS,
    TRIED,
    guard,
    learn_policy,
    run_through,
    saved,
)
from esgml.optimization.environments.battery import Battery, Houses, fill_late
from esgml.optimization.solvers.dqn import DQNAgent

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results" / "dqn.json"
SOLVED, MOST = 475.0, 100_000


def our_cartpole(seed: int) -> dict[str, Any]:
    agent = DQNAgent(steps=MOST, stop_at=SOLVED)
    began = time.process_time()
    policy = agent.train(gymnasium.make("CartPole-v1"), episodes=10**9, max_steps=500, seed=seed)
    spent = time.process_time() - began
    return {
        "solved": agent.record_.solved,
        "steps": agent.record_.steps,
        "cpu_seconds": spent,
        "steps_per_cpu_second": agent.record_.steps / spent,
        "greedy_return": greedy(policy.act),
    }


def their_cartpole(seed: int) -> dict[str, Any]:
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.callbacks import BaseCallback

    torch.set_num_threads(1)

    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            recent = [episode["r"] for episode in self.model.ep_info_buffer]
            return not (len(recent) == 100 and np.mean(recent) >= SOLVED)

    model = DQN(
        "MlpPolicy",
        "CartPole-v1",
        learning_rate=2.3e-3,
        batch_size=64,
        buffer_size=100_000,
        learning_starts=1000,
        gamma=0.99,
        target_update_interval=10,
        train_freq=256,
        gradient_steps=128,
        exploration_fraction=0.16 * 50_000 / MOST,
        exploration_final_eps=0.04,
        policy_kwargs={"net_arch": [256, 256]},
        seed=seed,
        device="cpu",
    )
    began = time.process_time()
    model.learn(MOST, callback=Stop())
    spent = time.process_time() - began
    recent = [episode["r"] for episode in model.ep_info_buffer]
    return {
        "solved": bool(np.mean(recent) >= SOLVED),
        "steps": model.num_timesteps,
        "cpu_seconds": spent,
        "steps_per_cpu_second": model.num_timesteps / spent,
        "greedy_return": greedy(lambda seen: model.predict(seen, deterministic=True)[0]),
    }


def greedy(act: Any, episodes: int = 20) -> float:
    """Return the mean return of greedy episodes."""
    total, env = 0.0, gymnasium.make("CartPole-v1")
    for i in range(episodes):
        seen, _ = env.reset(seed=10_000 + i)
        over = False
        while not over:
            seen, reward, ended, cut, _ = env.step(int(act(seen)))
            total += float(reward)
            over = bool(ended or cut)
    return total / episodes


# Batteries ----------------------------------------------------------------------------


def neighbourhood(sets: Any) -> Houses:
    load, solar = (np.stack(part) for part in zip(*map(sets.house, sets.HOUSES), strict=True))
    return Houses(load, solar, sets.tariff())


def pairs(houses: int, weeks: list[int]) -> NDArray[np.int64]:
    return np.array([(h, w) for h in range(houses) for w in weeks])


def other_weeks(judged: list[int]) -> list[int]:
    """Return first hours of the week-long stretches that touch no judged week."""
    return [s for s in range(169, 8760 - 168, 24) if all(abs(s - w) >= 168 for w in judged)]


def attainable(sets: Any, weeks: list[int]) -> tuple[float, float]:
    """Return cost with idle batteries, and the most that perfect foresight saves."""
    from esgml.optimization import library

    own = [library.load(sets.dispatch(slice(w, w + 168), weights={"cost": 1.0})) for w in weeks]
    idle = sum(float(p.evaluate(p.baseline()).objectives[0, 0]) for p in own)
    return idle, idle - sum(float(p.bound()) for p in own)


def batteries(seeds: int, plain: bool) -> dict[str, Any]:
    import dispatch_sets as sets

    if sets.folder() is None:
        return {"skipped": "the real series (ESGML_DATA) are not here"}
    houses, judged = neighbourhood(sets), sets.judged_weeks()
    weeks = pairs(len(sets.HOUSES), judged)
    lessons = pairs(len(sets.HOUSES), other_weeks(judged))
    idle, limit = attainable(sets, judged)
    battery = Battery()
    test = run_through(houses, battery, weeks)
    trial = run_through(houses, battery, lessons[:: len(lessons) // TRIED])
    rows: dict[str, Any] = {"rule: fill late": {"share": saved(test, fill_late) / limit}}
    kinds = {"DQN": {}} | ({"DQN, plain": {"every_action": False}} if plain else {})
    for name, options in kinds.items():
        shares, spent, guarded = [], [], []
        for seed in range(seeds):
            began = time.process_time()
            policy = learn_policy(houses, battery, lessons, seed, **options)
            spent.append(time.process_time() - began)
            shares.append(saved(test, policy.act) / limit)
            safe = guard(policy, trial)
            guarded.append(saved(test, safe.decide) / limit)
            sys.stderr.write(f"  guarded, margin {safe.margin}: {guarded[-1]:.4f}\n")
            sys.stderr.write(f"  {name} seed {seed}: {shares[-1]:.4f}\n")
        rows[name] = {
            "share_mean": float(np.mean(shares)),
            "share_worst": float(np.min(shares)),
            "shares": shares,
            "guarded_mean": float(np.mean(guarded)),
            "guarded_worst": float(np.min(guarded)),
            "steps": SETTINGS["steps"],
            "cpu_seconds_each": float(np.mean(spent)),
        }
    return {"idle_cost": idle, "attainable_gain": limit, "rows": rows}


def main() -> int:
    """Print the tables and one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cartpole-seeds", type=int, default=5)
    parser.add_argument("--peer-seeds", type=int, default=5, help="seeds of stable-baselines3")
    parser.add_argument("--no-plain", action="store_true", help="leave out the plain DQN")
    parser.add_argument(
        "--save", action="store_true", help="write what was run to the results file"
    )
    chosen = parser.parse_args()
    out: dict[str, Any] = {}
    if chosen.seeds:
        out["batteries"] = batteries(chosen.seeds, not chosen.no_plain)
        sys.stderr.write(json.dumps(out["batteries"], indent=1) + "\n")
    if chosen.cartpole_seeds:
        runs: dict[str, Any] = {"esgml": our_cartpole}
        if importlib.util.find_spec("stable_baselines3") is not None:
            runs["stable-baselines3"] = their_cartpole
        else:
            out["stable-baselines3"] = "not installed"
        out["cartpole"] = {}
        for seed in range(chosen.cartpole_seeds):
            for name, run in runs.items():
                if name != "esgml" and seed >= chosen.peer_seeds:
                    continue
                row = run(seed)
                out["cartpole"].setdefault(name, []).append(row)
                sys.stderr.write(f"CartPole seed {seed} {name}: {json.dumps(row)}\n")
    if chosen.save:  # parts that were not run keep what an earlier run wrote
        before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**before, **out}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(out, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
