//! One network with everything its training needs: gradient of a minibatch, and step of Adam.

use pulp::Arch;

use crate::adam::{Adam, AdamStep, Moments, square_sum};
use crate::math::buffer::Buffer;
use crate::math::elementwise;
use crate::network::actor_critic::{ActorCritic, Net};
use crate::network::mlp::{LayerOutputs, Mlp, Pass, Weights};
use crate::network::policy::Policy;
use crate::update::loss::{LossScratch, Losses, Objective};
use crate::update::minibatch::{SHARD_ROWS, Shard};

/// The buffers of one learner, allocated once per training.
#[derive(Debug)]
pub(crate) struct Workspace {
    outputs: LayerOutputs,
    loss: LossScratch,
    backward: Buffer,
    /// Gradient of one shard.
    shard_gradient: Buffer,
    /// Sum of the gradients of the minibatch's shards so far.
    gradient: Buffer,
}

/// The actor or the critic during an update.
#[derive(Debug)]
pub(crate) struct Learner<'a> {
    net: Net,
    arch: Arch,
    objective: Objective,
    mlp: &'a Mlp,
    weights: &'a mut Weights,
    moments: &'a mut Moments,
    workspace: &'a mut Workspace,
}

impl Workspace {
    pub(crate) fn for_policy(policy: &Policy) -> ActorCritic<Self> {
        policy.networks.as_ref().map(|mlp| Self {
            outputs: LayerOutputs::new(mlp, SHARD_ROWS),
            loss: LossScratch::new(SHARD_ROWS, policy.n_logits()),
            backward: Buffer::zeroed(SHARD_ROWS * mlp.max_width()),
            shard_gradient: Buffer::zeroed(mlp.len),
            gradient: Buffer::zeroed(mlp.len),
        })
    }
}

/// The learners of a policy: actor, then critic.
pub(crate) fn learners<'a>(
    policy: &'a mut Policy,
    adam: &'a mut Adam,
    objective: Objective,
    workspaces: &'a mut ActorCritic<Workspace>,
) -> [Learner<'a>; 2] {
    let arch = policy.arch;
    let ActorCritic { actor, critic } = &policy.networks;
    let (weights, moments) = (&mut policy.weights, &mut adam.moments);
    [
        Learner {
            net: Net::Actor,
            arch,
            objective,
            mlp: actor,
            weights: &mut weights.actor,
            moments: &mut moments.actor,
            workspace: &mut workspaces.actor,
        },
        Learner {
            net: Net::Critic,
            arch,
            objective,
            mlp: critic,
            weights: &mut weights.critic,
            moments: &mut moments.critic,
            workspace: &mut workspaces.critic,
        },
    ]
}

impl Learner<'_> {
    /// Forward pass, loss and backward pass of one shard. Adds the gradient to that of the minibatch's
    /// earlier shards, and returns this network's share of the minibatch's losses.
    pub(crate) fn accumulate_gradient(&mut self, shard: Shard<'_>) -> Losses {
        let Shard { idx, samples, obs, weight } = shard;
        let (arch, objective) = (self.arch, &self.objective);
        let Workspace { outputs, loss, backward, shard_gradient, gradient } = &mut *self.workspace;
        let pass = Pass { arch, weights: &*self.weights, obs, rows: samples.len() };
        self.mlp.forward(pass, outputs);
        let output = outputs.last_layer(samples.len());
        let losses = match self.net {
            Net::Actor => objective.differentiate_policy(arch, samples, weight, output, loss),
            Net::Critic => objective.differentiate_value(samples, weight, output),
        };
        self.mlp.backward(pass, outputs, backward, shard_gradient);
        if idx == 0 {
            std::mem::swap(gradient, shard_gradient);
        } else {
            elementwise::add(arch, gradient, shard_gradient);
        }
        losses
    }

    /// The squared L2 norm of the minibatch's gradient.
    pub(crate) fn gradient_square_sum(&self) -> f32 {
        square_sum(self.arch, &self.workspace.gradient)
    }

    /// Updates the weights with `scale` times the minibatch's gradient.
    pub(crate) fn adam_step(&mut self, scale: f32, step: AdamStep) {
        let gradient = &self.workspace.gradient;
        self.moments.update(self.arch, &mut self.weights.flat, gradient, scale, step);
        self.weights.transpose(self.mlp);
    }

    /// The gradient of the last minibatch, in the layout of the weights.
    #[cfg(test)]
    pub(crate) fn gradient(&self) -> &[f32] {
        &self.workspace.gradient
    }
}
