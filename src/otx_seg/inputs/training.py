"""What a workspace fills into the arguments of a training."""

from __future__ import annotations

import logging
from dataclasses import replace

from otx_seg import template as templates
from otx_seg.inputs.data import training_spec
from otx_seg.inputs.resolver import Resolver
from otx_seg.training.setup.plan import Request
from otx_seg.training.setup.train_type import ASKED, OF_TEMPLATE, OF_WORKSPACE, PARAMETER, TRAIN_TYPES

logger = logging.getLogger(__name__)


def complete_request(resolver: Resolver, request: Request) -> Request:
    """The arguments, completed from the workspace.

    The train type is that of the workspace's template, unless the arguments name one or unlabelled images; parts of the
    data that it does not use are left out. A run that is resumed with has all of this already.

    Raises:
        UsageError: a file of the workspace cannot be understood, or no training data is named anywhere.
        DataError: a folder it names is missing.
    """
    if request.resume_from is not None:
        return request
    if resolver.workspace is None:
        resolver.train_root(request.data.train_root)
        return request
    given = data = request.data
    asked = request.train_type or request.parameters.get(PARAMETER)
    template, why = resolver.template(request.template), ASKED
    if asked is None and given.unlabelled_root is None and template is not None:
        asked = templates.load(template).hyper_parameters.algo_backend.train_type
        why = OF_WORKSPACE if request.template is None else OF_TEMPLATE
    chosen = next((name for name in TRAIN_TYPES if name.lower() == str(asked).lower()), None)
    filled = replace(request, template=template)
    if request.template is None:
        filled = replace(filled, template_reason="that of the workspace; `otx build --model` changes it")
    if chosen is not None and PARAMETER not in request.parameters:
        filled = replace(filled, train_type=chosen, train_type_reason=why)
    if chosen == "Selfsupervised":
        data = replace(data, train_root=resolver.train_root(data.train_root))
    else:
        data = training_spec(resolver, data)
    if chosen == "Semisupervised":
        data = replace(data, unlabelled_root=resolver.root(given.unlabelled_root, "unlabeled"))
        if given.unlabelled_root is None:  # a list belongs to its folder
            data = replace(data, unlabelled_list=resolver.file_list(given.unlabelled_list))
    elif given.unlabelled_root is None and resolver.names("unlabeled"):
        logger.info(
            "the unlabelled images that data.yaml names are not used in %s training; for that, `otx build --train-type "
            "Semisupervised`",
            chosen,
        )
    return replace(filled, data=data)
