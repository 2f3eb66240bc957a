"""Running a store of energy beside a load and a solar roof: physics, rules, control."""
