"""Deep Q-learning: `settings`, the network and its updates in torch (`learner`), the loop.

Acting needs no torch: the network's weights are NumPy views of torch's memory, and the trained
`esgml.optimization.policy.Policy` keeps them as arrays.
"""
