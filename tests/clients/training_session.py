"""A session of the unmodified packages kubeflow, kubeflow-katib and kubeflow-training: what they ask of Kubernetes.

Run as a program, with the interpreter that has them: `training_session.py KUBECONFIG`. Nobody reconciles what they
make; the definitions take any content, and the pods that a controller would make are made here. It prints one line for
each package that saw what it should, and ends with status 0 where all did.
"""

import os
import sys
import time
from typing import Any

COUNT = "import time\nfor i in range(3): print('line', i, flush=True); time.sleep(0.2)"
KINDS = (
    ("trainer.kubeflow.org", "v1alpha1", "trainjobs", "TrainJob", "Namespaced"),
    ("trainer.kubeflow.org", "v1alpha1", "trainingruntimes", "TrainingRuntime", "Namespaced"),
    ("trainer.kubeflow.org", "v1alpha1", "clustertrainingruntimes", "ClusterTrainingRuntime", "Cluster"),
    ("kubeflow.org", "v1beta1", "experiments", "Experiment", "Namespaced"),
    ("kubeflow.org", "v1beta1", "trials", "Trial", "Namespaced"),
    ("kubeflow.org", "v1", "pytorchjobs", "PyTorchJob", "Namespaced"),
)


def main(kubeconfig: str) -> None:
    os.environ["KUBECONFIG"] = kubeconfig
    sys.argv = sys.argv[:1]
    from kubernetes import client, config  # noqa: PLC0415

    config.load_kube_config()
    for each in KINDS:
        _define(client, *each)
    _trainer(client)
    _katib()
    _training(client)


def _define(client: Any, group: str, version: str, plural: str, kind: str, scope: str) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = {"name": version, "served": True, "storage": True, "subresources": {"status": {}}, "schema": schema}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind}
    spec = {"group": group, "scope": scope, "names": names, "versions": [served]}
    body = {"metadata": {"name": f"{plural}.{group}"}, "spec": spec}
    client.ApiextensionsV1Api().create_custom_resource_definition(body)


def _pod(client: Any, name: str, container: str, labels: dict[str, str]) -> None:
    """A pod such as a controller would make, seen to its end."""
    spec = {"restartPolicy": "Never", "containers": [{"name": container, "image": "python:3.12"}]}
    spec["containers"][0]["command"] = ["python3", "-c", COUNT]
    core = client.CoreV1Api()
    core.create_namespaced_pod("default", {"metadata": {"name": name, "labels": labels}, "spec": spec})
    for _ in range(300):
        if core.read_namespaced_pod(name, "default").status.phase == "Succeeded":
            return
        time.sleep(0.1)
    raise AssertionError(f"pod {name} did not succeed in 30 s")


def _trainer(client: Any) -> None:
    from kubeflow.trainer import CustomTrainer, KubernetesBackendConfig, TrainerClient  # noqa: PLC0415

    core, custom = client.CoreV1Api(), client.CustomObjectsApi()
    core.create_namespace({"metadata": {"name": "kubeflow-system"}})
    public = {"metadata": {"name": "kubeflow-trainer-public"}, "data": {"kubeflow_trainer_version": "v2.0.0"}}
    core.create_namespaced_config_map("kubeflow-system", public)
    labels = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    pod = {"containers": [{"name": "node", "image": "pytorch/pytorch:2"}]}
    job = {"metadata": {"labels": labels}, "spec": {"template": {"spec": pod}}}
    template = {"spec": {"replicatedJobs": [{"name": "node", "template": job}]}}
    runtime = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "ClusterTrainingRuntime",
        "metadata": {"name": "torch-distributed", "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {"mlPolicy": {"numNodes": 1, "torch": {"numProcPerNode": "auto"}}, "template": template},
    }
    custom.create_cluster_custom_object("trainer.kubeflow.org", "v1alpha1", "clustertrainingruntimes", runtime)
    sdk = TrainerClient(KubernetesBackendConfig(namespace="default"))
    assert [found.name for found in sdk.list_runtimes()] == ["torch-distributed"]
    name = sdk.train(trainer=CustomTrainer(func=_work, num_nodes=2), runtime=sdk.get_runtime("torch-distributed"))
    assert [found.name for found in sdk.list_jobs()] == [name] == [sdk.get_job(name).name]
    replica = {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": "0"}
    _pod(client, f"{name}-node-0-0", "node", {"jobset.sigs.k8s.io/jobset-name": name, **replica})
    assert [step.status for step in sdk.get_job(name).steps] == ["Succeeded"]
    assert list(sdk.get_job_logs(name, follow=True)) == ["line 0", "line 1", "line 2"]
    sdk.get_job_events(name)
    sdk.delete_job(name)
    print("kubeflow")


def _katib() -> None:
    from kubeflow.katib import KatibClient, search  # noqa: PLC0415

    sdk = KatibClient(namespace="default")
    space = {"lr": search.double(min=0.1, max=0.2)}
    sdk.tune(name="t", objective=_objective, parameters=space, objective_metric_name="loss", base_image="python:3.12")
    assert [found.metadata.name for found in sdk.list_experiments()] == ["t"] == [sdk.get_experiment("t").metadata.name]
    sdk.edit_experiment_budget("t", max_trial_count=5)
    assert sdk.get_experiment("t").spec.max_trial_count == 5
    assert sdk.list_trials("t") == []
    sdk.delete_experiment("t")
    print("kubeflow-katib")


def _training(client: Any) -> None:
    from kubeflow.training import TrainingClient  # noqa: PLC0415

    sdk = TrainingClient(namespace="default", job_kind="PyTorchJob")
    sdk.create_job(name="j", train_func=_work, num_workers=2, base_image="python:3.12")
    assert [found.metadata.name for found in sdk.list_jobs()] == ["j"] == [sdk.get_job("j").metadata.name]
    own = {"job-name": "j", "job-role": "master", "replica-type": "master", "replica-index": "0"}
    _pod(client, "j-master-0", "pytorch", {f"training.kubeflow.org/{key}": value for key, value in own.items()})
    assert sdk.get_job_pod_names("j") == ["j-master-0"]
    status = {"status": {"conditions": [{"type": "Succeeded", "status": "True"}]}}
    client.CustomObjectsApi().patch_namespaced_custom_object_status(
        "kubeflow.org", "v1", "default", "pytorchjobs", "j", status
    )
    assert sdk.wait_for_job_conditions("j", timeout=20, polling_interval=1).metadata.name == "j"
    assert sdk.get_job_logs("j")[0] == {"j-master-0": "line 0\nline 1\nline 2\n"}
    sdk.get_job_logs("j", follow=True)
    sdk.update_job(sdk.get_job("j"), "j")
    sdk.delete_job("j")
    print("kubeflow-training")


def _work() -> None:
    print("trained")


def _objective(parameters: dict[str, str]) -> None:
    print(f"loss={parameters['lr']}")


if __name__ == "__main__":
    main(sys.argv[1])
