//! A register in memory that carries out plans.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    AliasChange, EventDraft, EventKind, FormerChampion, Honesty, Judgement, ModelName, Obstacle,
    Origin, PromotionFacts, PromotionPlan, PromotionRequest, Refusal, Registration,
    RegistrationFacts, RollbackFacts, RollbackRequest, RunId, Sealed, Stage, Timestamp,
    VersionFacts, VersionKey, VersionNumber, plan_promotion, plan_registration, plan_rollback,
};

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Register {
    pub(crate) runs: BTreeMap<RunId, Tags>,
    pub(crate) versions: BTreeMap<VersionNumber, Version>,
    pub(crate) alias: Option<VersionNumber>,
    pub(crate) events: Vec<EventDraft>,
    /// The moment of each event.
    pub(crate) times: Vec<Timestamp>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version {
    pub(crate) run_id: RunId,
    pub(crate) tags: Tags,
}

pub(crate) fn model() -> ModelName {
    ModelName::parse("1H_trading_model").unwrap()
}

impl Register {
    pub(crate) fn register(&mut self, origin: Origin, honesty: Honesty, at: Timestamp) {
        let run_id = RunId::parse(&format!("{:032x}", self.runs.len() + 1)).unwrap();
        let parent = origin.enhanced.as_ref().map(|enhanced| enhanced.parent.clone());
        let facts = RegistrationFacts {
            last_version: self.versions.keys().last().copied(),
            parent_versions: self
                .versions
                .iter()
                .filter(|(_, version)| Some(&version.run_id) == parent.as_ref())
                .map(|(number, version)| {
                    let version_type = version.tags[key::VERSION_TYPE].parse().ok();
                    (VersionKey { name: model(), version: *number }, version_type)
                })
                .collect(),
            sealed: Sealed::empty(at),
        };
        let request = Registration {
            run_id: run_id.clone(),
            name: model(),
            origin,
            trained_timesteps: 2048,
            honesty,
            model_sha256: "00".repeat(32),
        };
        let plan = plan_registration(&request, &facts, at);
        let mut run_tags = request.origin.run_tags();
        run_tags.extend(plan.run_tags);
        self.runs.insert(run_id.clone(), run_tags);
        for superseded in &plan.superseded {
            let version = self.versions.get_mut(&superseded.version).unwrap();
            plan.parent_tags.apply(&mut version.tags);
        }
        if let Some(parent) = parent {
            plan.parent_tags.apply(self.runs.get_mut(&parent).unwrap());
        }
        self.versions.insert(plan.key.version, Version { run_id, tags: plan.version_tags });
        self.events.extend(plan.events);
        self.times.resize(self.events.len(), at);
    }

    pub(crate) fn promote(
        &mut self,
        request: &PromotionRequest,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let facts = PromotionFacts {
            version: self.facts(request.key.version),
            champion: self.champion().map(|version| self.facts(version)),
        };
        self.carry_out(plan_promotion(request, &facts, &Judgement::default(), at)?);
        self.times.resize(self.events.len(), at);
        Ok(())
    }

    pub(crate) fn rollback(
        &mut self,
        request: &RollbackRequest,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let champion = self.champion();
        let left = |version: VersionNumber| {
            self.events.iter().rposition(|event| {
                event.version == Some(version) && event.from.as_deref() == Some("champion")
            })
        };
        let mut former: Vec<VersionNumber> =
            self.versions.keys().copied().filter(|version| left(*version).is_some()).collect();
        former.sort_by_key(|version| std::cmp::Reverse(left(*version)));
        let facts = RollbackFacts {
            champion: champion.map(|version| self.facts(version)),
            former: former
                .into_iter()
                .filter(|version| Some(*version) != champion)
                .map(|version| FormerChampion {
                    facts: self.facts(version),
                    obstacle: self.was_rolled_back(version).then_some(Obstacle::RolledBack),
                })
                .collect(),
        };
        self.carry_out(plan_rollback(request, &facts, at)?);
        self.times.resize(self.events.len(), at);
        Ok(())
    }

    pub(crate) fn champion(&self) -> Option<VersionNumber> {
        let mut champions = self
            .versions
            .iter()
            .filter(|(_, version)| version.tags[key::PROMOTION_STAGE] == "champion");
        champions.next().map(|(number, _)| *number)
    }

    fn was_rolled_back(&self, version: VersionNumber) -> bool {
        self.events.iter().any(|event| {
            event.version == Some(version) && event.details.contains("\"rolled_back\"")
        })
    }

    fn carry_out(&mut self, plan: PromotionPlan) {
        for change in plan.changes {
            let version = self.versions.get_mut(&change.key.version).unwrap();
            change.version_tags.apply(&mut version.tags);
            change.run_tags.apply(self.runs.get_mut(&version.run_id).unwrap());
            self.events.extend(change.events);
        }
        match plan.alias {
            AliasChange::Unchanged => {}
            AliasChange::PointTo(version) => self.alias = Some(version),
            AliasChange::Remove => self.alias = None,
        }
    }

    pub(crate) fn history_end(&self, version: VersionNumber) -> Option<Stage> {
        self.events
            .iter()
            .rev()
            .filter(|event| event.version == Some(version))
            .find(|event| event.kind != EventKind::Superseded)
            .and_then(|event| event.to.as_deref()?.parse().ok())
    }

    fn facts(&self, number: VersionNumber) -> VersionFacts {
        let version = &self.versions[&number];
        VersionFacts {
            key: VersionKey { name: model(), version: number },
            run_id: Some(version.run_id.clone()),
            stage_tag: version.tags.get(key::PROMOTION_STAGE).cloned(),
            history_end: self.history_end(number),
            honesty: version.tags[key::HONESTY].parse().unwrap(),
            promotion_keys: version
                .tags
                .keys()
                .filter(|key| key.starts_with("promotion_"))
                .cloned()
                .collect(),
            obstacle: None,
            symbol: None,
            deleted: false,
            unsealed: None,
        }
    }
}
